/**
 * The figures of the overview, cheap however many jobs there ever were.
 *
 * No count goes over all jobs: each state is counted along an index and cut off at 10,000, which nobody reads as a number
 * anyway; ended jobs are counted from midnight (UTC, so that everybody sees the same). An index-only count of 10,000 takes
 * about a millisecond. Usage is read from midnight on (billing/usage/since.ts), the fleet is as large as it is.
 */
import type { z } from 'zod';
import { usageSince } from '../../billing/index.ts';
import type { overview } from '../../common/contract/routes/overview.ts';
import { type Queryable, withTenant } from '../../common/database/index.ts';
import type { Handlers } from '../../common/http/index.ts';
import { formatUsd } from '../../common/money.ts';
import { JOULES_PER_KWH } from '../../common/units.ts';
import { readFleetTotals } from '../../drm/tracker/index.ts';
import { countJobs } from '../jobs/index.ts';
import type { ApiDeps } from './deps.ts';
import { iso } from './wire.ts';

export type Overview = z.output<typeof overview>;

export function overviewHandlers({ db, clock }: ApiDeps): Handlers<'getOverview'> {
  return {
    getOverview: ({ principal }) =>
      withTenant(db, principal.tenant.id, (tx) => readOverview(tx, principal.tenant.id, clock.now()), {
        isolation: 'repeatable read',
        readOnly: true,
      }),
  };
}

/** Reads the figures; one picture when the transaction is repeatable read. */
export async function readOverview(tx: Queryable, tenant: string, now: Date): Promise<Overview> {
  const midnight = new Date(now);
  midnight.setUTCHours(0, 0, 0, 0);
  const jobs = await countJobs(tx, tenant, midnight);
  const usage = await usageSince(tx, tenant, midnight, now);
  return {
    ...jobs.counts,
    countsCapped: jobs.capped,
    spendTodayUsd: formatUsd(usage.costMicroUsd),
    burnUsdPerHour: formatUsd(usage.burnMicroUsdPerHour),
    energyTodayKwh: usage.energyJoules / JOULES_PER_KWH,
    energySource: usage.energySource,
    usageCapped: usage.capped,
    ...(await readFleetTotals(tx)),
    at: iso(now),
  };
}
