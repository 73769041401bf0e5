/** JSON as a type: what a fact may hold, because what comes out of the log must equal what went in. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

export type JsonObject = { readonly [key: string]: Json }
