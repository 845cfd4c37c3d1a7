/** Sites: where nodes stand, what power and list prices are there. */
import { type Database, withSystem } from '../../common/database/index.ts';
import type { Queryable, Transaction } from '../../common/database/queryable.ts';
import { type Issue, SolyxError } from '../../common/errors/index.ts';
import { newId } from '../../common/ids.ts';
import { recordSiteChange } from './changes.ts';

export type SiteBackend = 'agent' | 'simulator' | 'kubernetes' | 'ray' | 'slurm';

/** What an operator says of a site. */
export interface SiteSettings {
  /** 1–63 letters, digits, `-`, `_` or `.`; unique. */
  readonly name: string;
  /** Degrees, −90..90 and −180..180; both or neither. */
  readonly latitude: number | null;
  readonly longitude: number | null;
  /** Zone of the power grid as its data sources call it, such as `DE-LU`. */
  readonly gridZone: string | null;
  /** Power usage effectiveness, 1..10. */
  readonly pue: number;
  /** List prices, micro-dollars an hour: of a whole device, a CPU core, a GiB of memory; ≥ 0. */
  readonly deviceUsdPerHour: bigint;
  readonly cpuUsdPerHour: bigint;
  readonly memoryUsdPerHour: bigint;
  /** What jobs ask for as `site/…`: at most 32 short texts, beside `name` and `zone`, which every site has by itself. */
  readonly labels: Readonly<Record<string, string>>;
}

export interface Site extends SiteSettings {
  readonly id: string;
  readonly backend: SiteBackend;
  readonly revision: bigint;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const columns = `id, name, latitude, longitude, grid_zone as "gridZone", pue,
  device_usd_per_hour as "deviceUsdPerHour", cpu_usd_per_hour as "cpuUsdPerHour", memory_usd_per_hour as "memoryUsdPerHour",
  labels, backend, revision, created_at as "createdAt", updated_at as "updatedAt"`;

const defaults: Omit<SiteSettings, 'name'> = {
  latitude: null,
  longitude: null,
  gridZone: null,
  pue: 1,
  deviceUsdPerHour: 0n,
  cpuUsdPerHour: 0n,
  memoryUsdPerHour: 0n,
  labels: {},
};

/** Largest list price, micro-dollars an hour: a million dollars. */
const mostUsdPerHour = 1_000_000_000_000n;

/**
 * Makes a site.
 *
 * @param who for the event: the key or `system`
 * @throws SolyxError `invalid_body` with the fields that are out of range, `already_exists` for the name
 */
export async function createSite(
  tx: Transaction,
  site: Partial<SiteSettings> & { readonly name: string; readonly backend?: SiteBackend },
  who: string,
): Promise<Site> {
  const settings: SiteSettings = { ...defaults, ...withoutUndefined(site), name: site.name };
  checkSite(settings);
  const { rows } = await tx.query<Site>(
    `insert into drm_sites (id, name, latitude, longitude, grid_zone, pue, device_usd_per_hour, cpu_usd_per_hour,
                            memory_usd_per_hour, labels, backend)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (name) do nothing returning ${columns}`,
    [newId('site'), ...values(settings), site.backend ?? 'agent'],
  );
  const made = rows[0];
  if (!made) throw nameTaken(site.name);
  await recordSiteChange(tx, made.id, made.revision, who);
  return made;
}

/**
 * Changes a site; what is not named stays. The same again changes nothing.
 *
 * @throws SolyxError `not_found`, `invalid_body`, `already_exists`
 */
export async function updateSite(
  tx: Transaction,
  id: string,
  change: Partial<SiteSettings>,
  who: string,
): Promise<Site> {
  const { rows } = await tx.query<Site>(`select ${columns} from drm_sites where id = $1 for no key update`, [id]);
  const before = rows[0];
  if (!before) throw new SolyxError('not_found', { detail: `There is no site ${id}.` });
  const next: Site = { ...before, ...withoutUndefined(change) };
  checkSite(next);
  const after = values(next);
  if (values(before).every((value, index) => value === after[index])) return before;
  const taken = await tx.query('select from drm_sites where name = $1 and id <> $2', [next.name, id]);
  if (taken.rows.length > 0) throw nameTaken(next.name);
  const updated = await tx
    .query<Site>(
      `update drm_sites set name = $2, latitude = $3, longitude = $4, grid_zone = $5, pue = $6, device_usd_per_hour = $7,
         cpu_usd_per_hour = $8, memory_usd_per_hour = $9, labels = $10, revision = revision + 1, updated_at = now()
       where id = $1 returning ${columns}`,
      [id, ...after],
    )
    .catch((error: { code?: string }) => {
      throw error.code === '23505' ? nameTaken(next.name) : error;
    });
  const site = updated.rows[0]!;
  await recordSiteChange(tx, id, site.revision, who);
  return site;
}

/**
 * Makes the site of that name if there is none; for the start of a server. A site that exists stays as it is, because an
 * operator may have changed it since.
 */
export function ensureSite(
  db: Database,
  site: Partial<SiteSettings> & { readonly name: string } = { name: 'local' },
): Promise<Site> {
  return withSystem(db, async (tx) => {
    const find = async () =>
      (await tx.query<Site>(`select ${columns} from drm_sites where name = $1`, [site.name])).rows[0];
    const found = await find();
    if (found) return found;
    try {
      return await createSite(tx, site, 'system');
    } catch (error) {
      // Another server was quicker; its row was committed before our insert gave way.
      const made = error instanceof SolyxError && error.code === 'already_exists' ? await find() : undefined;
      if (made) return made;
      throw error;
    }
  });
}

/** @throws SolyxError `not_found` */
export async function getSite(tx: Queryable, id: string): Promise<Site> {
  const { rows } = await tx.query<Site>(`select ${columns} from drm_sites where id = $1`, [id]);
  if (!rows[0]) throw new SolyxError('not_found', { detail: `There is no site ${id}.` });
  return rows[0];
}

/** Sites by id, at most `limit` above `after`. */
export async function listSites(
  tx: Queryable,
  { after = '', limit = 1000 }: { readonly after?: string; readonly limit?: number } = {},
): Promise<Site[]> {
  return (await tx.query<Site>(`select ${columns} from drm_sites where id > $1 order by id limit $2`, [after, limit]))
    .rows;
}

function values(site: SiteSettings): unknown[] {
  return [
    site.name,
    site.latitude,
    site.longitude,
    site.gridZone,
    site.pue,
    site.deviceUsdPerHour,
    site.cpuUsdPerHour,
    site.memoryUsdPerHour,
    JSON.stringify(Object.fromEntries(Object.entries(site.labels).sort(([a], [b]) => (a < b ? -1 : 1)))),
  ];
}

function withoutUndefined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Partial<T>;
}

function checkSite(site: SiteSettings): void {
  const issues: Issue[] = [];
  const check = (at: string, ok: boolean, message: string) => {
    if (!ok) issues.push({ at, message });
  };
  const within = (value: number | null, limit: number) => value === null || Math.abs(value) <= limit;
  check(
    '/name',
    /^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?$/.test(site.name),
    '1–63 letters, digits, dots, dashes or underscores',
  );
  check('/latitude', within(site.latitude, 90), 'degrees from -90 to 90');
  check('/longitude', within(site.longitude, 180), 'degrees from -180 to 180');
  check('/longitude', (site.latitude === null) === (site.longitude === null), 'latitude and longitude go together');
  check('/gridZone', site.gridZone === null || /^[A-Za-z0-9_.:-]{1,64}$/.test(site.gridZone), 'a zone as DE-LU');
  check('/pue', site.pue >= 1 && site.pue <= 10, 'a ratio from 1 to 10');
  const labels = Object.entries(site.labels);
  check('/labels', labels.length <= 32, 'at most 32 labels');
  for (const [name, value] of labels) {
    const isOwn = name === 'name' || name === 'zone';
    check(`/labels/${name}`, !isOwn, 'every site has this label by itself');
    check(`/labels/${name}`, /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,57}$/.test(name), '1–58 letters, digits, ".", "_" or "-"');
    check(`/labels/${name}`, value.length <= 256 && !/\p{Cc}/u.test(value), 'a text of at most 256 characters');
  }
  for (const key of ['deviceUsdPerHour', 'cpuUsdPerHour', 'memoryUsdPerHour'] as const) {
    check(`/${key}`, site[key] >= 0n && site[key] <= mostUsdPerHour, 'from 0 to 1,000,000 dollars an hour');
  }
  if (issues.length > 0) throw new SolyxError('invalid_body', { issues });
}

const nameTaken = (name: string): SolyxError =>
  new SolyxError('already_exists', { detail: `Another site is called ${name}.` });
