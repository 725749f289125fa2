/** One thing that is wrong with a model. */
export interface Finding {
  readonly kind: 'invalid' | 'clash' | 'orphan' | 'compile' | 'rollup' | 'test';
  /** File, cube.member or test. */
  readonly where: string;
  /** `sales.yaml:12`, where it is known. */
  readonly at?: string | undefined;
  readonly message: string;
  /** What is probably meant or to be done. */
  readonly hint?: string | undefined;
}
