/** The log in a database of PostgreSQL: `claude-multi-agent/postgres`. It needs the package `pg`. */

export type { StoreAccess } from '../store/postgres/session.ts'
export { type PostgresStoreOptions, postgresStore } from '../store/postgres/store.ts'
