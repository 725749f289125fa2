/** A JSON value; numbers that a double cannot hold exactly are given as their text. */
export type ExactJson =
  | string
  | number
  | boolean
  | null
  | readonly ExactJson[]
  | { readonly [name: string]: ExactJson };
