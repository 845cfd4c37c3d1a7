/**
 * Opening a channel: the intent with its audit entry first, then the node is told, then its agent's socket is waited for.
 *
 * A server that is killed anywhere in between leaves a row whose lease runs out; whoever sweeps it writes the end into the audit log.
 */
import type { WebSocket } from 'ws';
import { recordAudit } from '../../../common/audit/index.ts';
import { encodeJson, frameTypes } from '../../../common/channels/index.ts';
import type { ChannelRequest } from '../../../common/contract/agent/channels.ts';
import { withSystem, withTenant } from '../../../common/database/index.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { failpoint } from '../../../common/failpoints.ts';
import type { Principal } from '../../../common/http/index.ts';
import { newId } from '../../../common/ids.ts';
import { type ChannelKind, deleteChannel, insertChannel } from '../../../metapod/gateway/index.ts';
import type { ApiDeps } from '../deps.ts';
import { findPlace, mustReachNode, type Place } from './place.ts';

/** Without what the place says. */
export type Wish = ChannelRequest extends infer R
  ? R extends ChannelRequest
    ? Omit<R, 'attemptId' | 'rank' | 'token'>
    : never
  : never;

export interface ChannelAsk {
  readonly principal: Principal;
  readonly jobId: string;
  readonly rank: number;
  readonly attempt: number | undefined;
  readonly wish: Wish;
  /** What of the wish belongs into the audit log. */
  readonly about: Readonly<Record<string, unknown>>;
  /** Address of who asks. */
  readonly ip: string;
  /** The client left. */
  readonly gone: AbortSignal;
}

export interface OpenChannel {
  readonly id: string;
  readonly kind: ChannelKind;
  readonly principal: Principal;
  readonly place: Place;
  /** The agent's socket; it has been told what is wanted. */
  readonly agent: WebSocket;
  /** Records the end, once; never throws. */
  readonly finish: (end: Readonly<Record<string, unknown>>) => Promise<void>;
}

/**
 * @throws not_found, job_not_running, node_unreachable, node_too_old, rate_limited
 */
export async function openChannel(deps: ApiDeps, ask: ChannelAsk): Promise<OpenChannel> {
  const { db, wake, channels: hub } = deps;
  const { principal, wish } = ask;
  const place = await withTenant(db, principal.tenant.id, (tx) => findPlace(tx, ask.jobId, ask.rank, ask.attempt), {
    readOnly: true,
  });
  await mustReachNode(db.system, place.nodeId);
  const id = newId('channel');
  const row = { id, tenant: principal.tenant.id, ...place, kind: wish.kind, keyId: principal.keyId };
  const request = { ip: ask.ip, id };
  const subject = ask.jobId;
  const startedAt = deps.clock.monotonicMs();
  const arrives = hub.wait(id, ask.gone);
  await withSystem(db, async (tx) => {
    await insertChannel(
      tx,
      row,
      { id: hub.id, url: hub.url, certificate: hub.certificate() },
      deps.channelTimings?.mostOfTenant,
    );
    const data = { channel: id, attempt: place.attempt, rank: place.rank, node: place.nodeId, ...ask.about };
    await recordAudit(tx, { principal, action: `job.${wish.kind}`, subject, data, request });
  });
  failpoint('api.after-channel');
  wake.wake('channels');

  let finished: Promise<void> | undefined;
  const record = async (end: Readonly<Record<string, unknown>>): Promise<void> => {
    try {
      await withSystem(db, async (tx) => {
        // Swept meanwhile: then the end is in the log.
        if (!(await deleteChannel(tx, id))) return;
        const seconds = Number(((deps.clock.monotonicMs() - startedAt) / 1000).toFixed(3));
        const data = { channel: id, seconds, ...end };
        await recordAudit(tx, { principal, action: `job.${wish.kind}.ended`, subject, data, request });
      });
    } catch (error) {
      deps.logger.warn({ err: error, channel: id }, 'the end of a channel was not recorded; its lease will run out');
    }
  };
  const finish = (end: Readonly<Record<string, unknown>>) => {
    finished ??= record(end);
    return finished;
  };

  const agent = await arrives;
  if (agent === undefined) {
    await finish({ why: ask.gone.aborted ? 'the client left' : 'the node did not answer' });
    throw new SolyxError('node_unreachable', `Node ${place.nodeId} did not answer in time.`);
  }
  const { attemptId, rank, token } = place;
  agent.send(encodeJson(frameTypes.control, 0, { ...wish, attemptId, rank, token: String(token) }));
  return { id, kind: wish.kind, principal, place, agent, finish };
}
