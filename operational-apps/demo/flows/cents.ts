/** Whole cents of an amount as the database prints it. */
export const cents = (amount: string): number => Math.round(Number(amount) * 100);
