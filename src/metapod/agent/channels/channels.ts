/**
 * All channels of this node. The control plane says that one is wanted; the agent opens a socket for it and does what is asked there, as
 * long as the rank runs under the token that was named.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { mostFrameBytes } from '../../../common/channels/index.ts';
import {
  type ChannelRequest,
  type ChannelWanted,
  channelPath,
  channelSubprotocol,
} from '../../../common/contract/agent/channels.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import type { Logger } from '../../../common/logger.ts';
import type { Rank } from '../rank.ts';
import type { RankSet } from '../rank-set.ts';
import { resolveServer, type ServerAddress } from '../server-address.ts';
import { readJson } from '../supervisor/files.ts';
import { type ProcessIdentity, signalProcess } from '../supervisor/process-identity.ts';
import { AgentChannel } from './channel.ts';
import { runDownload } from './download.ts';
import { isEnteredRecord, signalMarked } from './entered.ts';
import { runExec } from './exec.ts';
import { runForward } from './forward.ts';
import { runUpload } from './upload.ts';

export interface ChannelsDependencies {
  readonly address: ServerAddress;
  /** The node's. */
  readonly token: string;
  readonly ranks: RankSet;
  readonly logger: Logger;
  readonly nodeBinary: string;
}

/** Most channels of a node at once, over all tenants. */
const mostChannels = 128;
const handshakeMs = 10_000;
const lookMs = 200;

export class Channels {
  readonly #deps: ChannelsDependencies;
  readonly #open = new Map<string, { channel: AgentChannel; rank: Rank }>();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(deps: ChannelsDependencies) {
    this.#deps = deps;
  }

  /** Ends what an agent before us had started for channels: they are gone, and nobody else would. */
  start(): void {
    for (const { dir } of this.#deps.ranks.all) endLeftovers(dir);
    this.#timer = setInterval(() => this.#endWithRanks(), lookMs);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const { channel } of this.#open.values())
      channel.fail(new SolyxError('node_unreachable', 'The agent of the node stops; the job goes on.'));
  }

  /** Comes for a channel. Whatever is wrong is told on the channel, or the server waits in vain and says so. */
  async come(wanted: ChannelWanted): Promise<void> {
    if (this.#stopped || this.#open.has(wanted.channelId) || this.#open.size >= mostChannels) return;
    const server = await resolveServer(this.#deps.address);
    if (server === undefined) return;
    const path = channelPath.replace(':id', encodeURIComponent(wanted.channelId));
    const socket = new WebSocket(`${server.replace(/^http/, 'ws')}${path}`, channelSubprotocol, {
      headers: { authorization: `Bearer ${this.#deps.token}` },
      maxPayload: mostFrameBytes,
      handshakeTimeout: handshakeMs,
      perMessageDeflate: false,
    });
    socket.on('error', (error) =>
      this.#deps.logger.debug({ err: error, channel: wanted.channelId }, 'a channel was not opened'),
    );
    socket.once('open', () => void this.#serve(new AgentChannel(wanted.channelId, socket), wanted));
  }

  async #serve(channel: AgentChannel, wanted: ChannelWanted): Promise<void> {
    try {
      const request = await channel.request();
      const rank = this.#rankOf(wanted, request);
      this.#open.set(channel.id, { channel, rank });
      channel.onEnd(() => this.#open.delete(channel.id));
      if (channel.hasEnded) return;
      await this.#run(channel, rank.dir, request);
      channel.finish();
    } catch (error) {
      if (!channel.hasEnded) channel.fail(toSolyxError(error));
      const isOurs = !(error instanceof SolyxError);
      if (isOurs) this.#deps.logger.debug({ err: error, channel: channel.id }, 'a channel ended with an error');
    }
  }

  #run(channel: AgentChannel, dir: string, request: ChannelRequest): Promise<void> {
    switch (request.kind) {
      case 'exec':
        return runExec(channel, dir, request);
      case 'forward':
        return runForward(channel, dir, this.#deps.nodeBinary);
      case 'download':
        return runDownload(channel, dir, request);
      case 'upload':
        return runUpload(channel, dir, request);
    }
  }

  /** @throws job_not_running, stale_token */
  #rankOf(wanted: ChannelWanted, { attemptId, rank: number, token }: ChannelRequest): Rank {
    const rank = this.#deps.ranks.find(attemptId, number);
    const isSame = attemptId === wanted.attemptId && number === wanted.rank && token === wanted.token;
    if (rank === undefined || !isSame) throw new SolyxError('job_not_running', 'This node does not have it.');
    if (rank.start.token !== token) throw new SolyxError('stale_token');
    if (rank.state !== 'running')
      throw new SolyxError('job_not_running', rank.hasEnded ? 'It has ended.' : 'It is starting.');
    return rank;
  }

  #endWithRanks(): void {
    for (const { channel, rank } of this.#open.values()) {
      if (rank.hasEnded || rank.isGone) channel.fail(new SolyxError('job_not_running', 'The attempt has ended.'));
    }
  }
}

/** Ends commands that an earlier agent started in an attempt and left records of. */
export function endLeftovers(dir: string): void {
  for (const name of readdirSync(dir).filter(isEnteredRecord)) {
    const record = readJson<{ launcher: ProcessIdentity; mark?: string }>(join(dir, name));
    if (record.kind === 'ok') {
      signalProcess(record.value.launcher, 'SIGKILL');
      if (record.value.mark !== undefined) signalMarked(record.value.mark, 'SIGKILL');
    }
    rmSync(join(dir, name), { force: true });
  }
}

function toSolyxError(error: unknown): SolyxError {
  if (error instanceof SolyxError) return error;
  const isFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
  return new SolyxError(isFull ? 'disk_full' : 'channel_lost', { detail: (error as Error).message, cause: error });
}
