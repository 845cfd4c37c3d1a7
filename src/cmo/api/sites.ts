/** Sites: everybody reads them, the operator makes and changes them. They belong to no tenant. */
import type { z } from 'zod';
import type { Routes } from '../../common/contract/routes/index.ts';
import { withSystem } from '../../common/database/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import { formatUsd, parseUsd } from '../../common/money.ts';
import { createSite, getSite, listSites, type Site, type SiteSettings, updateSite } from '../../drm/tracker/index.ts';
import { recordAudit } from './audit/index.ts';
import type { ApiDeps } from './deps.ts';
import { cursorId, makePage } from './paging.ts';
import { iso } from './wire.ts';

type WireSite = z.output<Routes['getSite']['response']>;
type SiteChange = z.output<Routes['updateSite']['body']>;

export function siteHandlers(deps: ApiDeps): Handlers<'createSite' | 'listSites' | 'getSite' | 'updateSite'> {
  const { db } = deps;
  const changed = () => deps.wake.wake('scheduler');
  return {
    createSite: ({ principal, body, request }) =>
      withSystem(db, async (tx) => {
        const site = await createSite(tx, { ...toSettings(body), name: body.name }, principal.keyId);
        tx.afterCommit(changed);
        await recordAudit(tx, { principal, request, action: 'site.created', subject: site.id, data: body });
        return toWireSite(site);
      }),

    listSites: ({ query }) =>
      withSystem(
        db,
        async (tx) => {
          const after = cursorId('site', query.cursor);
          const sites = await listSites(tx, { ...(after !== undefined && { after }), limit: query.limit + 1 });
          return makePage(sites, query.limit, toWireSite);
        },
        { readOnly: true },
      ),

    getSite: ({ params }) => withSystem(db, async (tx) => toWireSite(await getSite(tx, params.id)), { readOnly: true }),

    updateSite: ({ principal, params, body, request }) =>
      withSystem(
        db,
        async (tx) => {
          const site = await updateSite(tx, params.id, toSettings(body), principal.keyId);
          tx.afterCommit(changed);
          await recordAudit(tx, { principal, request, action: 'site.changed', subject: site.id, data: body });
          return toWireSite(site);
        },
        { idempotent: true },
      ),
  };
}

/** Only the fields that were given. */
function toSettings(change: SiteChange): Partial<SiteSettings> {
  const { latitude, longitude, gridZone, pue, labels } = change;
  const prices = (['deviceUsdPerHour', 'cpuUsdPerHour', 'memoryUsdPerHour'] as const).flatMap((name) => {
    const text = change[name];
    return text === undefined ? [] : [[name, parseUsd(text)!] as const];
  });
  return {
    ...(latitude !== undefined && { latitude }),
    ...(longitude !== undefined && { longitude }),
    ...(gridZone !== undefined && { gridZone }),
    ...(pue !== undefined && { pue }),
    ...(labels !== undefined && { labels }),
    ...Object.fromEntries(prices),
  };
}

export function toWireSite(site: Site): WireSite {
  return {
    id: site.id,
    name: site.name,
    latitude: site.latitude,
    longitude: site.longitude,
    gridZone: site.gridZone,
    pue: site.pue,
    labels: site.labels,
    deviceUsdPerHour: formatUsd(site.deviceUsdPerHour),
    cpuUsdPerHour: formatUsd(site.cpuUsdPerHour),
    memoryUsdPerHour: formatUsd(site.memoryUsdPerHour),
    backend: site.backend,
    createdAt: iso(site.createdAt),
    updatedAt: iso(site.updatedAt),
    revision: String(site.revision),
  };
}
