/**
 * The tables and functions of a log in PostgreSQL, by version. A migration that has been released is never changed: another
 * one follows it. All of the functions are made again with each.
 *
 * - `records` is the log: each row holds the same text as a record on LevelDB, with the same hash chain.
 * - `streams`, `commits` and `counts` derive from it, and change together with it.
 * - `store` has one row, which every append locks: so positions have no gaps, in the order in which appends become visible.
 * - `workers` are the processes of a cluster in which agents live.
 * - `writers` keeps what the last batch of each writer came to, for a writer that was not told.
 */
import { UnsupportedFormat } from '../../events/errors/store.ts'
import type { PostgresConnection } from './database.ts'

/** A worker that was not heard of for so long has ended all that it did, however the clock of the database was set meanwhile. */
export const SURELY_OVER = '2 minutes'

/** @param s The schema, quoted. */
type Migration = (s: string) => string

/** In one transaction, under a lock: several processes may open a new database at once. */
export async function migrate(connection: PostgresConnection): Promise<void> {
  const { schema, path } = connection
  if ((await versionOf(connection)) === MIGRATIONS.length) return
  await connection.transaction(async () => {
    await connection.rows(
      `select pg_advisory_xact_lock(hashtextextended('claude-agents: migration ' || $1, 0))`,
      [schema],
    )
    const version = await versionOf(connection)
    if (version > MIGRATIONS.length)
      throw new UnsupportedFormat({ path, found: version, known: MIGRATIONS.length })
    if (version === 0) await connection.rows(MIGRATIONS_TABLE(schema))
    for (const [index, migration] of MIGRATIONS.entries()) {
      if (index < version) continue
      await connection.rows(migration(schema))
      await connection.rows(`insert into ${schema}.migrations (version) values ($1)`, [index + 1])
    }
    await connection.rows(FUNCTIONS(schema))
  })
}

/** The version of the tables; 0 if there are none. */
export async function versionOf(connection: PostgresConnection): Promise<number> {
  const { schema } = connection
  // Not `to_regclass`, which may answer from what this connection knew before it waited for the lock.
  const [found] = await connection.rows(
    `select from pg_class where relname = 'migrations' and relnamespace =
       (select oid from pg_namespace where nspname = $1)`,
    [schema.slice(1, -1)],
  )
  if (!found) return 0
  const [last] = await connection.rows<{ version: number }>(
    `select coalesce(max(version), 0) as version from ${schema}.migrations`,
  )
  return last?.version ?? 0
}

/** `create schema if not exists` asks for the right to create one even where it exists. */
const MIGRATIONS_TABLE: Migration = (s) => `
  do $do$ begin
    if not exists (select from pg_namespace where nspname = '${s.slice(1, -1)}') then create schema ${s}; end if;
  end $do$;
  create table ${s}.migrations (version int primary key, at timestamptz not null default now());
`

/** Of a migration that leaves the tables as they are. */
const FUNCTIONS_ONLY = ''

const MIGRATIONS: readonly Migration[] = [
  (s) => `
    -- Rows that every append updates have room to stay on their pages.
    create table ${s}.store (
      is_only boolean primary key default true check (is_only),
      store_id text not null,
      for_reading boolean not null default false,
      position bigint not null default 0,
      hash text not null,
      -- The epoch of the process that has the store for itself; 0 if several share it.
      owner bigint not null default 0
    ) with (fillfactor = 10);
    create sequence ${s}.epochs;

    create table ${s}.records (
      position bigint primary key,
      stream text collate "C" not null,
      version bigint not null,
      record text collate "C" not null,
      unique (stream, version)
    );
    create table ${s}.streams (
      stream text collate "C" primary key,
      version bigint not null,
      -- JSON as text: jsonb refuses \\u0000.
      summary text,
      is_open boolean not null default false,
      is_there boolean not null default false
    ) with (fillfactor = 70);
    create index on ${s}.streams (stream) where is_open;
    create table ${s}.counts (kind text collate "C" primary key, count bigint not null) with (fillfactor = 50);
    create table ${s}.commits (commit_id text collate "C" primary key, first bigint not null, count int not null);

    create table ${s}.writers (epoch bigint primary key, batch bigint not null, outcome text not null)
      with (fillfactor = 20);
    create table ${s}.claims (stream text collate "C" primary key, token text not null) with (fillfactor = 70);
    -- Without content: lost since before the store was repaired.
    create table ${s}.blobs (sha256 bytea primary key, bytes bigint not null, content bytea);
    create table ${s}.snapshots (stream text collate "C" primary key, snapshot text not null) with (fillfactor = 70);
  `,
  () => FUNCTIONS_ONLY,
  (s) => `
    create table ${s}.workers (
      name text collate "C" primary key,
      address text not null,
      epoch bigint not null,
      agents int not null default 0,
      draining boolean not null default false,
      since timestamptz not null default now(),
      -- When it was heard of last.
      seen timestamptz not null default now()
    ) with (fillfactor = 50);
  `,
  // The runs that it has left as they were, and why, as JSON.
  (s) => `alter table ${s}.workers add column waiting text not null default '{}';`,
  // Those of an earlier release say nothing of the two.
  (s) => `
    alter table ${s}.workers add column protocol int not null default 1, add column release text not null default '';
  `,
  // Labels are in order, with commas between them. A set of labels that agents may require has a number while a worker serves it.
  (s) => `
    alter table ${s}.workers add column labels text collate "C" not null default '';
    create table ${s}.label_groups (number int primary key, labels text collate "C" not null unique);
  `,
  // Where the others see its process end; empty for one of before there was that.
  (s) => `alter table ${s}.workers add column lifeline text not null default '';`,
  () => FUNCTIONS_ONLY,
]

/** Made again with each version: a change of theirs needs one. Those of an earlier one may be in use, so what they are called with stays. */
export const FUNCTIONS: Migration = (s) => `
  -- Makes a writer, with a number that no other one has had.
  create or replace function ${s}.open_writer(is_alone boolean) returns bigint language plpgsql as $function$
  declare
    writer bigint;
  begin
    perform from ${s}.store for update;
    writer := nextval('${s}.epochs');
    update ${s}.store set owner = case when is_alone then writer else 0 end;
    -- Those who claimed them have lost the store.
    if is_alone then delete from ${s}.claims; end if;
    -- One that is forgotten while it lives is known again with its next batch.
    delete from ${s}.writers where epoch < writer - 10000;
    insert into ${s}.writers (epoch, batch, outcome) values (writer, 0, '[]');
    return writer;
  end $function$;

  -- Fences earlier writers of a stream. Under the lock of the appends: the claimant can read all that these have written.
  -- A crash may forget it. The claimant is then fenced itself, and claims again.
  create or replace function ${s}.claim(owning bigint, name text, new_token text) returns boolean language plpgsql as $function$
  begin
    perform from ${s}.store where owner = owning for update;
    if not found then return false; end if;
    perform set_config('synchronous_commit', 'off', true);
    insert into ${s}.claims (stream, token) values (name, new_token)
      on conflict (stream) do update set token = excluded.token;
    return true;
  end $function$;

  -- The same, unless another worker has the stream that may be at work for it: then that is returned, as JSON. '' if it is
  -- claimed, null if the store has another owner. A worker is known by its number, which its tokens begin with.
  create or replace function ${s}.claim_after(owning bigint, name text, new_token text, over_token text) returns text
  language plpgsql as $function$
  declare
    held text;
    other record;
  begin
    -- Who has to wait has looked without the lock, in whose way all appends would be.
    for is_locked in 0..1 loop
      if is_locked = 1 then
        perform from ${s}.store where owner = owning for update;
        if not found then return null; end if;
      end if;
      select token into held from ${s}.claims where stream = name;
      if held is distinct from over_token and split_part(held, '.', 1) <> split_part(new_token, '.', 1) then
        select worker.name, worker.epoch, extract(epoch from worker.seen)::text as beat into other from ${s}.workers as worker
          where worker.epoch = split_part(held, '.', 1)::bigint and worker.seen > now() - interval '${SURELY_OVER}';
        if found then
          return json_build_object('token', held, 'worker', other.name, 'epoch', other.epoch, 'beat', other.beat);
        end if;
      end if;
    end loop;
    return case when ${s}.claim(owning, name, new_token) then '' end;
  end $function$;

  -- Writes a batch of groups of appends, each group all or nothing. Returns what each group came to, as a JSON array of
  -- {"first", "versions"}, {"fenced"}, {"isRepeated"} or {"conflict", "actual"}; null if the store has another owner.
  -- The text of a fact is passed in the pieces between which its version and the position of its cause belong.
  create or replace function ${s}.append(
    writer bigint,
    owning bigint,
    number bigint,
    -- The streams and the commit ids of the batch, each once.
    names text[],
    commit_ids text[],
    -- For each group, its last append.
    group_ends int[],
    -- For each append: its stream and its commit id by their place above, and how it is checked. Empty for what none has.
    stream_of int[],
    commit_of int[],
    expected bigint[],
    tokens text[],
    fact_counts int[],
    new_summaries text[],
    opens boolean[],
    theres boolean[],
    -- For each fact. The texts are joined by a character that JSON escapes, which is read faster than an array.
    joined_befores text,
    causes int[],
    joined_afters text
  ) returns text language plpgsql
    -- The size of a batch is no reason to plan its statements again, nor do plans that were made for small tables read large
    -- ones as a whole.
    set plan_cache_mode = force_generic_plan
    set enable_hashjoin = off
    set enable_mergejoin = off
  as $function$
  declare
    log ${s}.store%rowtype;
    last_batch bigint;
    last_outcome text;
    outcomes text[] := '{}';
    refusal text;
    -- Of each stream. Its row stays where it is while the lock is held.
    rows_at tid[];
    versions bigint[];
    claimed text[];
    was_there boolean[];
    is_written boolean[] := array_fill(false, array[cardinality(names)]);
    summaries text[] := array_fill(null::text, array[cardinality(names)]);
    now_open boolean[] := array_fill(false, array[cardinality(names)]);
    now_there boolean[];
    -- Of each commit id.
    is_known boolean[];
    commit_firsts bigint[] := array_fill(null::bigint, array[cardinality(commit_ids)]);
    commit_counts int[] := array_fill(null::int, array[cardinality(commit_ids)]);
    -- Of each fact.
    befores text[] := string_to_array(joined_befores, E'\\x1e');
    afters text[] := string_to_array(joined_afters, E'\\x1e');
    -- Of each append.
    bases bigint[] := array_fill(0::bigint, array[cardinality(stream_of)]);
    -- Of each new record.
    record_streams text[] := '{}';
    record_versions bigint[] := '{}';
    records text[] := '{}';
    head bigint;
    chain text;
    previous text;
    content text;
    name int;
    fact int := 0;
    first_append int := 1;
    last_append int;
    first_position bigint;
  begin
    select * into strict log from ${s}.store for update;
    if log.owner <> owning then return null; end if;
    select batch, outcome into last_batch, last_outcome from ${s}.writers where epoch = writer;
    -- The answer was lost, or this is an old one that its writer has given up.
    if number <= last_batch then
      return case when number = last_batch then last_outcome else '[]' end;
    end if;
    if current_setting('synchronous_commit') = 'off' then
      perform set_config('synchronous_commit', 'on', true);
    end if;
    -- Sorted once: each aggregate with an order of its own would sort again.
    select array_agg(n.row_at), array_agg(n.version), array_agg(n.is_there), array_agg(n.token)
      into rows_at, versions, was_there, claimed
      from (
        select known.ctid as row_at, coalesce(known.version, 0) as version, coalesce(known.is_there, false) as is_there, claim.token
        from unnest(names) with ordinality as n (stream, place)
        left join ${s}.streams as known on known.stream = n.stream
        left join ${s}.claims as claim on claim.stream = n.stream
        order by n.place
      ) as n;
    now_there := was_there;
    if cardinality(commit_ids) > 0 then
      select array_agg(known.commit_id is not null order by c.place)
        into is_known
        from unnest(commit_ids) with ordinality as c (commit_id, place)
        left join ${s}.commits as known on known.commit_id = c.commit_id;
    end if;
    head := log.position;
    chain := log.hash;

    foreach last_append in array group_ends loop
      refusal := null;
      for i in first_append .. last_append loop
        if tokens[i] is distinct from claimed[stream_of[i]] then
          refusal := format('{"fenced":%s}', i - first_append);
          exit;
        end if;
      end loop;
      if refusal is null then
        for i in first_append .. last_append loop
          if commit_of[i] > 0 and is_known[commit_of[i]] then
            refusal := '{"isRepeated":true}';
            exit;
          end if;
        end loop;
      end if;
      if refusal is null then
        for i in first_append .. last_append loop
          name := stream_of[i];
          if expected[i] <> versions[name] then
            refusal := format('{"conflict":%s,"actual":%s}', i - first_append, versions[name]);
            for earlier in first_append .. i - 1 loop
              versions[stream_of[earlier]] := versions[stream_of[earlier]] - fact_counts[earlier];
            end loop;
            exit;
          end if;
          bases[i] := versions[name];
          versions[name] := versions[name] + fact_counts[i];
        end loop;
      end if;

      first_position := head + 1;
      for i in first_append .. last_append loop
        if refusal is not null then
          fact := fact + fact_counts[i];
          continue;
        end if;
        continue when fact_counts[i] = 0;
        name := stream_of[i];
        is_written[name] := true;
        if commit_of[i] > 0 then
          is_known[commit_of[i]] := true;
          commit_firsts[commit_of[i]] := head + 1;
          commit_counts[commit_of[i]] := fact_counts[i];
        end if;
        if new_summaries[i] is not null then
          summaries[name] := new_summaries[i];
          now_open[name] := opens[i];
          now_there[name] := theres[i];
        end if;
        for nth in 1 .. fact_counts[i] loop
          fact := fact + 1;
          head := head + 1;
          content := '{"stream":"' || names[name] || '","version":' || bases[i] + nth || befores[fact];
          if afters[fact] <> '' then
            content := content || coalesce((first_position + causes[fact])::text, '') || afters[fact];
          end if;
          previous := chain;
          -- The hash covers the key, the kind, the previous hash and the text: see record.ts. translate() takes longer.
          chain := replace(replace(replace(encode(sha256(convert_to(
            'e!' || lpad(head::text, 16, '0') || 'r' || previous || content, 'UTF8')),
            'base64'), '+', '-'), '/', '_'), '=', '');
          records := records || ('r' || previous || chain || content);
          record_streams := record_streams || names[name];
          record_versions := record_versions || bases[i] + nth;
        end loop;
      end loop;
      -- A part of an array is a copy of it: most groups have one append.
      outcomes := outcomes || coalesce(refusal, '{"first":' || first_position || ',"versions":['
        || case when first_append = last_append then bases[last_append]::text
             else array_to_string(bases[first_append:last_append], ',') end || ']}');
      first_append := last_append + 1;
    end loop;

    if head > log.position then
      insert into ${s}.records (position, stream, version, record)
        select generate_series(log.position + 1, head), unnest(record_streams), unnest(record_versions), unnest(records);
      -- Most streams are known, and an update takes half as long as an insert that may be one.
      update ${s}.streams as old set
          version = n.version,
          summary = coalesce(n.summary, old.summary),
          is_open = case when n.summary is null then old.is_open else n.is_open end,
          is_there = n.is_there
        from (
          select unnest(rows_at) as row_at, unnest(versions) as version, unnest(summaries) as summary,
            unnest(now_open) as is_open, unnest(now_there) as is_there, unnest(is_written) as is_written
        ) as n
        where old.ctid = n.row_at and n.is_written;
      if array_position(rows_at, null) is not null then
        insert into ${s}.streams (stream, version, summary, is_open, is_there)
          select n.stream, n.version, n.summary, n.is_open, n.is_there
          from unnest(names, rows_at, versions, summaries, now_open, now_there, is_written)
            as n (stream, row_at, version, summary, is_open, is_there, is_written)
          where n.is_written and n.row_at is null;
      end if;
      if now_there <> was_there then
        insert into ${s}.counts as old (kind, count)
          select split_part(n.stream, '/', 1), sum(n.now_there::int - n.was_there::int)
          from unnest(names, was_there, now_there) as n (stream, was_there, now_there)
          group by 1
          having sum(n.now_there::int - n.was_there::int) <> 0
          on conflict (kind) do update set count = old.count + excluded.count;
      end if;
      if cardinality(commit_ids) > 0 then
        insert into ${s}.commits (commit_id, first, count)
          select c.commit_id, c.first, c.count
          from unnest(commit_ids, commit_firsts, commit_counts) as c (commit_id, first, count)
          where c.first is not null;
      end if;
      update ${s}.store set position = head, hash = chain;
      insert into ${s}.writers (epoch, batch, outcome)
        values (writer, number, '[' || array_to_string(outcomes, ',') || ']')
        on conflict (epoch) do update set batch = excluded.batch, outcome = excluded.outcome;
      perform pg_notify('${s.slice(1, -1)}', head::text);
    end if;
    return '[' || array_to_string(outcomes, ',') || ']';
  end $function$;
`

/** The version that this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length
