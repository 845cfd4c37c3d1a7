/**
 * Tickets: what a browser shows instead of a key when it opens a WebSocket.
 *
 * A ticket is 32 random bytes, lives a minute, opens one socket of one purpose and is gone; the row is deleted by whoever takes
 * it, so of two who show the same ticket, at whichever replica, one gets in.
 */
import { createHash, randomBytes } from 'node:crypto';
import { clientSubprotocol } from '../../../common/contract/channels.ts';
import { liveProtocol, type TicketPurpose, ticketProtocolPrefix } from '../../../common/contract/live.ts';
import type { TicketAbout } from '../../../common/contract/routes/live.ts';
import { withTenant } from '../../../common/database/index.ts';
import type { Queryable } from '../../../common/database/queryable.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { type Handlers, requireAccess } from '../../../common/http/index.ts';
import type { ApiDeps } from '../deps.ts';
import { iso } from '../wire.ts';

/** How long a ticket opens, seconds. */
export const ticketSeconds = 60;
/** Most open tickets of one key; a page needs one at a time. */
const mostOpen = 100;

const hashOf = (ticket: string): Buffer => createHash('sha256').update(ticket).digest();

export function ticketHandlers({ db }: Pick<ApiDeps, 'db'>): Handlers<'createLiveTicket'> {
  return {
    createLiveTicket: async ({ principal, body }) => {
      if (body.purpose !== 'live') requireAccess(principal, { role: 'member' });
      const ticket = randomBytes(32).toString('base64url');
      const { rows } = await withTenant(db, principal.tenant.id, async (tx) => {
        await tx.query('delete from cmo_live_tickets where tenant = $1 and expires_at < now()', [principal.tenant.id]);
        return tx.query<{ expires_at: Date }>(
          `insert into cmo_live_tickets (hash, tenant, key_id, purpose, about, expires_at)
           select $1, $2, $3, $4, $5, now() + make_interval(secs => $6)
           where (select count(*) from cmo_live_tickets where tenant = $2 and key_id = $3) < $7
           returning expires_at`,
          [
            hashOf(ticket),
            principal.tenant.id,
            principal.keyId,
            body.purpose,
            JSON.stringify(body.about ?? {}),
            ticketSeconds,
            mostOpen,
          ],
        );
      });
      const row = rows[0];
      if (!row) {
        const detail = `This key has ${mostOpen} tickets that nobody took.`;
        throw new SolyxError('rate_limited', { detail, retryAfterSeconds: ticketSeconds });
      }
      const protocol = body.purpose === 'live' ? liveProtocol : clientSubprotocol;
      return { ticket, protocol, purpose: body.purpose, expiresAt: iso(row.expires_at) };
    },
  };
}

export interface TakenTicket {
  readonly keyId: string;
  readonly about: TicketAbout;
}

/** Takes a ticket: its row is gone afterwards. Undefined when there is none of that purpose, or it is too old. */
export async function takeTicket(
  db: Queryable,
  ticket: string,
  purpose: TicketPurpose,
): Promise<TakenTicket | undefined> {
  const { rows } = await db.query<{ key_id: string; about: TicketAbout; fresh: boolean }>(
    `delete from cmo_live_tickets where hash = $1 and purpose = $2
     returning key_id, about, expires_at > now() as fresh`,
    [hashOf(ticket), purpose],
  );
  const row = rows[0];
  return row?.fresh ? { keyId: row.key_id, about: row.about } : undefined;
}

/** The ticket among the subprotocols that a client offers, or undefined. */
export function offeredTicket(header: string | undefined): string | undefined {
  const offered = (header ?? '').split(',').map((name) => name.trim());
  return offered.find((name) => name.startsWith(ticketProtocolPrefix))?.slice(ticketProtocolPrefix.length);
}
