import type { Quantity } from '../format.ts';

/** A figure with its unit set smaller. */
export const Figure = ({ of }: { of: Quantity }) => (
  <span className="figure num">
    {of.value}
    {of.unit && <small>{of.unit}</small>}
  </span>
);
