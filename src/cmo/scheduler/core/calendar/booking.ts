/**
 * Reservations as a round sees them: nodes that are promised whole to a tenant, or to one of its projects, from a moment until another.
 *
 * A promise is kept by who is let onto the node before it begins, since work that runs can only be ended with a loss. So a job of others
 * may stand there if it is believed to have ended by then; what is there all the same when the time comes is ended.
 */
export interface Booking {
  readonly id: string;
  readonly tenant: string;
  /** Null: all projects of the tenant. */
  readonly project: string | null;
  /** Epoch milliseconds; the node is promised from the first until before the second. */
  readonly startsAt: number;
  readonly endsAt: number;
  /** Ids of nodes; no two bookings have a node at the same time. */
  readonly nodes: readonly string[];
}

/** Of a job that may run for ever nobody can say that it ends before; it is let onto a node that is promised no sooner than this, ms. */
export const unknownRunMs = 86_400_000;

/** Whether it is promised to who owns a job. */
export const isFor = ({ tenant, project }: Booking, job: { readonly tenant: string; readonly project: string }) =>
  tenant === job.tenant && (project === null || project === job.project);

/** By when a job that starts now is taken to have ended, epoch milliseconds. @param mostSeconds Infinity when nobody knows */
export const endBy = (now: number, mostSeconds: number): number =>
  now + (mostSeconds === Number.POSITIVE_INFINITY ? unknownRunMs : 1000 * mostSeconds);

/** When the next booking begins or ends, epoch milliseconds; null when none does. Rounds are due then. */
export function nextTurn(bookings: readonly Booking[], now: number): number | null {
  const turns = bookings.flatMap(({ startsAt, endsAt }) => [startsAt, endsAt]).filter((at) => at > now);
  return turns.length === 0 ? null : Math.min(...turns);
}

/** Tenants of which a single project is promised something, so that jobs of their projects are not refused alike. */
export const projectsApart = (bookings: readonly Booking[] = []): ReadonlySet<string> =>
  new Set(bookings.flatMap(({ tenant, project }) => (project === null ? [] : [tenant])));
