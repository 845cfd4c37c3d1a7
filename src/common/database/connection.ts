/**
 * How JavaScript and PostgreSQL values meet, the same on every connection.
 *
 * int8 is a bigint and numeric a string, because money and counters must not pass through a float; timestamptz is a Date; date and
 * timestamp without zone stay text, because the driver would read them in the zone of this machine. Durations and sums
 * that fit a number are cast in SQL where they are read (`::int`, `::float8`).
 */
import pg from 'pg';

const oid = { int8: 20, date: 1082, timestamp: 1114, int8Array: 1016, numericArray: 1231, textArray: 1009 } as const;

const text = (value: string) => value;
// The driver knows these array types under names that its own types do not list.
const arrayParser = pg.types.getTypeParser as (oid: number) => (value: string) => (string | null)[];
const textArray = arrayParser(oid.textArray);

const parsers = new Map<number, (value: string) => unknown>([
  [oid.int8, BigInt],
  [oid.date, text],
  [oid.timestamp, text],
  [oid.int8Array, (value) => textArray(value).map((item) => (item === null ? null : BigInt(item)))],
  [oid.numericArray, textArray],
]);

function getTypeParser(id: number, format?: 'text' | 'binary'): unknown {
  return parsers.get(id) ?? pg.types.getTypeParser(id, format as 'text');
}

/** The `types` of every client and pool. */
export const connectionTypes: pg.CustomTypesConfig = {
  getTypeParser: getTypeParser as typeof pg.types.getTypeParser,
};

/** A client with our types and a connect timeout; connected by the caller. */
export function makeClient(config: pg.ClientConfig): pg.Client {
  const client = new pg.Client({
    connectionTimeoutMillis: 5_000,
    application_name: 'solyx',
    ...config,
    types: connectionTypes,
  });
  // A server that goes away between queries must not end the process; the next query reports it.
  client.on('error', () => {});
  return client;
}

/** Runs `fn` on a connection of its own. */
export async function withClient<T>(config: pg.ClientConfig, fn: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = makeClient(config);
  try {
    await client.connect();
    return await fn(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/** Whether the server lets this login in now. */
export async function canConnect(config: pg.ClientConfig): Promise<boolean> {
  return withClient(config, (client) => client.query('select 1')).then(
    () => true,
    () => false,
  );
}
