/** Zero lies inside. */
export interface RealRange {
  readonly min: number;
  readonly max: number;
}
