/** The log in a database of PostgreSQL: `claude-multi-agent/postgres`. It needs the package `pg`. */

export { importDatabase, restoreDatabase } from '../history/database-archive.ts'
export type { BuildOptions } from '../store/postgres/builder.ts'
export type { StoreAccess } from '../store/postgres/session.ts'
export { type PostgresStoreOptions, postgresStore } from '../store/postgres/store.ts'
export { type VerifyDatabaseOptions, verifyDatabase } from '../store/postgres/verification.ts'
