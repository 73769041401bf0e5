/** Which cluster. */
export interface ClusterOptions {
  /** `postgresql://USER@HOST:5432/DATABASE` */
  readonly database: string
}
