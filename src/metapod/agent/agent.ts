/**
 * The agent: carries out what the control plane commands and reports what becomes of it.
 *
 * Everything that must survive is on disk before it is acknowledged, and work runs under supervisors of its own, so
 * the agent may be killed and started again at any time. It is a loop over ranks (`rank.ts`) and a socket; the loop
 * does not care whether the socket is open. This file only ties the parts together: who is asked when, and what goes
 * over the socket to whom.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BlobStore, openDirectoryStore } from '../../common/blobs/index.ts';
import {
  type AgentMessage,
  type GatewayMessage,
  heartbeatSeconds,
  protocolVersion,
} from '../../common/contract/agent/protocol.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { release } from '../../common/release.ts';
import { Channels } from './channels/channels.ts';
import { type Command, obey } from './commands.ts';
import { Connection } from './connection.ts';
import { Contact } from './contact.ts';
import type { ControlPlane } from './control-plane.ts';
import { systemOutside } from './discovery/index.ts';
import { DiskWatch } from './disk-watch.ts';
import { Fences } from './fences.ts';
import { Heartbeats } from './heartbeats.ts';
import type { NodeIdentity } from './identity.ts';
import { ReportJournal } from './journal.ts';
import { type NodeContainers, openContainers } from './node-containers.ts';
import { lookAtNode, type NodeFacts, type OfferedIsolation } from './node-facts.ts';
import type { AgentOptions } from './options.ts';
import type { RankDependencies } from './rank.ts';
import { RankSet } from './rank-set.ts';
import { type NodeSample, NodeSampler, wireSamplesOf } from './samples/index.ts';
import { startProgress } from './start-progress.ts';
import { bootId, SpareSupervisor } from './supervisor/index.ts';
import { Uplink } from './uplink.ts';

const stepMs = 250;
/** With the batching of the gateway, what people see is at most 2 s old. */
const sampleMs = 1_000;
/** Nothing runs here and there are no devices: as often as heartbeats ask for it, a little less than their period. */
const quietSampleMs = heartbeatSeconds * 1000 - sampleMs;
const rediscoverMs = 60_000;
/** How often free disk is looked at, which costs next to nothing. */
const watchDiskMs = 5_000;
/** How often leftovers of containers are looked for. */
const tidyMs = 60_000;
const cacheKeptMs = 86_400_000;
/** A step that is under way when the agent ends may finish for so long; uploads are taken up again by the next agent. */
const settleMs = 2_000;

export class Agent {
  readonly #options: AgentOptions;
  readonly #logger: Logger;
  readonly #attemptsFolder: string;
  readonly #ranks: RankSet;
  readonly #journal: ReportJournal;
  readonly #fences: Fences;
  readonly #cache: BlobStore;
  readonly #connection: Connection;
  readonly #heartbeats: Heartbeats;
  readonly #uplink: Uplink;
  readonly #channels: Channels;
  readonly #sampler: NodeSampler;
  readonly #isolation: OfferedIsolation;
  readonly #containers: NodeContainers | null;
  readonly #spare: SpareSupervisor;
  readonly #name: string;
  readonly #disk: DiskWatch;
  #facts: NodeFacts;
  #looking: Promise<void> | undefined;
  #timers: NodeJS.Timeout[] = [];
  #sample: NodeSample | undefined;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  #revoked = false;

  private constructor(
    options: AgentOptions,
    identity: NodeIdentity,
    controlPlane: ControlPlane,
    parts: { facts: NodeFacts; isolation: OfferedIsolation; cache: BlobStore },
  ) {
    this.#options = options;
    this.#logger = options.logger;
    this.#name = identity.name;
    this.#attemptsFolder = join(options.dataDir, 'attempts');
    this.#journal = ReportJournal.open(join(options.dataDir, 'reports.journal'));
    this.#fences = new Fences(join(options.dataDir, 'fences'));
    this.#cache = parts.cache;
    this.#facts = parts.facts;
    this.#isolation = parts.isolation;
    this.#disk = new DiskWatch(systemOutside(), options.dataDir);
    this.#sampler = new NodeSampler({ outside: systemOutside(), devices: parts.facts.devices });
    this.#containers = openContainers(options, {
      driver: parts.isolation.driver,
      controlPlane,
      attemptsFolder: this.#attemptsFolder,
      logger: this.#logger,
    });
    this.#spare = new SpareSupervisor(
      join(options.dataDir, 'spare'),
      { nodeBinary: options.nodeBinary ?? process.execPath },
      this.#logger,
    );
    const contact = new Contact(options.dataDir);
    this.#ranks = new RankSet(this.#attemptsFolder, this.#rankDependencies(controlPlane, contact));
    this.#connection = new Connection({
      address: options.server,
      token: identity.token,
      logger: options.logger,
      hello: () => this.#hello(),
      onWelcome: (welcome) => this.#welcomed(welcome),
      onMessage: (message) => this.#receive(message),
      onClosed: () => this.#uplink.close(),
      onRevoked: () => {
        this.#revoked = true;
        this.#logger.error(
          'the token of this node was revoked; what runs ends by its own rules, then the agent leaves',
        );
      },
    });
    this.#channels = new Channels({
      address: options.server,
      token: identity.token,
      ranks: this.#ranks,
      logger: options.logger,
      nodeBinary: options.nodeBinary ?? process.execPath,
    });
    const common = { ranks: this.#ranks, send: (message: AgentMessage) => this.#connection.send(message) };
    this.#uplink = new Uplink({ ...common, journal: this.#journal });
    this.#heartbeats = new Heartbeats({
      ...common,
      contact,
      logger: options.logger,
      samples: () => (this.#sample === undefined ? undefined : wireSamplesOf(this.#sample)),
    });
  }

  /** Takes up what is on disk. Nothing runs yet. */
  static async open(
    options: AgentOptions,
    identity: NodeIdentity,
    controlPlane: ControlPlane,
    isolation: OfferedIsolation,
  ): Promise<Agent> {
    const attempts = join(options.dataDir, 'attempts');
    mkdirSync(attempts, { recursive: true, mode: 0o700 });
    const facts = await lookAtNode(options, systemOutside(), isolation, attempts, identity.name);
    const cache = await openDirectoryStore(join(options.dataDir, 'cache'));
    return new Agent(options, identity, controlPlane, { facts, isolation, cache });
  }

  start(): void {
    this.#sampler.start();
    this.#connection.start();
    this.#channels.start();
    this.#timers = [
      setInterval(() => this.#tick(), stepMs),
      setInterval(() => void this.#takeSample(), sampleMs),
      setInterval(() => this.#heartbeats.beatWhenDue(), stepMs),
      setInterval(() => this.#look(), rediscoverMs),
      setInterval(() => void this.#watchDisk(), watchDiskMs),
      setInterval(() => void this.#cleanCache(), cacheKeptMs / 24),
      setInterval(() => void this.#containers?.tidy(), tidyMs),
    ];
    void this.#containers?.tidy();
    void this.#watchDisk();
    this.#tick();
  }

  /** Stops talking and looking; supervisors and jobs go on. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#channels.stop();
    this.#connection.stop();
    await Promise.all([this.#spare.stop(), this.#sampler.stop()]);
    await Promise.race([this.#ranks.settled(), new Promise((resolve) => setTimeout(resolve, settleMs).unref())]);
    this.#journal.close();
  }

  /** Nothing is left to do for a node that is not wanted any more. */
  get isFinished(): boolean {
    return this.#revoked && this.#ranks.unended.length === 0;
  }

  /** Asks everything that runs to stop. @returns how many ranks have not ended */
  stopEverything(why: string, mostGraceSeconds: number): number {
    const left = this.#ranks.unended;
    for (const rank of left) {
      rank.stop(why, Math.min(mostGraceSeconds, rank.start.payload?.graceSeconds ?? 0));
    }
    return left.length;
  }

  /** The control plane has every end that happened here. */
  get isHandedOver(): boolean {
    const isUnreported = this.#ranks.all.some((rank) => rank.hasEnded && !rank.isReported);
    return !isUnreported && this.#journal.entries.length === 0;
  }

  #rankDependencies(controlPlane: ControlPlane, contact: Contact): RankDependencies {
    const agent = this;
    return {
      controlPlane,
      cache: this.#cache,
      get devices() {
        return agent.#facts.devices;
      },
      isolation: this.#isolation.offered,
      hostNetwork: this.#options.hostNetwork ?? false,
      nodeBinary: this.#options.nodeBinary ?? process.execPath,
      journal: this.#journal,
      logger: this.#logger,
      onReport: () => this.#uplink.sendReports(),
      onProgress: (start) => startProgress(start, (frame) => this.#connection.send(frame)),
      contact,
      containers: this.#containers,
      spare: this.#spare,
    };
  }

  #tick(): void {
    this.#ranks.step();
    this.#uplink.sendReports();
    this.#uplink.sendLogs();
    this.#uplink.sendMetrics();
  }

  async #hello(): Promise<Extract<AgentMessage, { type: 'hello' }>> {
    const attempts = this.#ranks.all.map(({ start, state }) => ({
      attemptId: start.attemptId,
      rank: start.rank,
      token: start.token,
      state,
    }));
    const { inventory } = this.#facts;
    return { type: 'hello', protocol: protocolVersion, agentVersion: release, bootId: bootId(), inventory, attempts };
  }

  #welcomed(welcome: Extract<GatewayMessage, { type: 'welcome' }>): void {
    this.#logger.info({ node: welcome.nodeId, session: welcome.sessionId }, 'connected to the control plane');
    this.#uplink.open(welcome.logCreditBytes);
    this.#heartbeats.reset();
    this.#heartbeats.beat();
    this.#spare.start();
    this.#tick();
  }

  #receive(message: GatewayMessage): void {
    switch (message.type) {
      case 'heartbeatAck':
        this.#heartbeats.acknowledge(message.seq);
        return;
      case 'reportsAck':
        failpoint('agent.before-journal-ack');
        this.#journal.acknowledge(message.journal, message.next);
        return;
      case 'logsAck':
        this.#uplink.logsAcknowledged(message.attemptId, message.rank, message.nextLine, message.refused === true);
        this.#uplink.sendLogs();
        return;
      case 'metricsAck':
        this.#ranks.find(message.attemptId, message.rank)?.metrics.acknowledge(message);
        return;
      case 'channel':
        void this.#channels.come(message);
        return;
      case 'command': {
        const onTaken = (command: Command, refusal: string | undefined) => this.#answer(command, refusal);
        obey(message, { ranks: this.#ranks, fences: this.#fences, logger: this.#logger, onTaken });
        return;
      }
    }
  }

  #answer({ id, kind }: Command, refusal: string | undefined): void {
    // A new rank may need contact more often than the ones before.
    if (kind === 'start') this.#heartbeats.beatWhenDue();
    const answer =
      refusal === undefined ? { result: 'done' as const } : { result: 'refused' as const, detail: refusal };
    this.#connection.send({ type: 'commandAck', id, ...answer });
    this.#tick();
  }

  async #takeSample(): Promise<void> {
    const isQuiet = this.#ranks.all.length === 0 && this.#facts.devices.length === 0;
    if (isQuiet && performance.now() - this.#sampledAtMs < quietSampleMs) return;
    this.#sampledAtMs = performance.now();
    const before = this.#sample;
    const after = await this.#sampler.sampleNode();
    this.#sample = after;
    // Where work runs or devices stand people watch; an idle node without devices says how it is with its heartbeats.
    if (this.#ranks.unended.length > 0 || this.#facts.devices.length > 0) this.#heartbeats.beat();
    for (const rank of this.#ranks.all) {
      try {
        rank.meter(before === undefined ? null : { before, after });
      } catch (error) {
        this.#logger.debug({ err: error }, 'energy was not recorded; the next sample makes up for it');
      }
    }
  }

  async #watchDisk(): Promise<void> {
    if (await this.#disk.hasMoved()) this.#look();
  }

  /** One look at a time; what one misses the next one sees. */
  #look(): void {
    this.#looking ??= this.#rediscover()
      .catch((error) => this.#logger.warn({ err: error }, 'the node could not be looked at; it stands as it was said'))
      .finally(() => {
        this.#looking = undefined;
      });
  }

  /** Devices change while we run: they fail, or slices are made. */
  async #rediscover(): Promise<void> {
    const next = await lookAtNode(this.#options, systemOutside(), this.#isolation, this.#attemptsFolder, this.#name);
    const withoutDisk = ({ inventory }: NodeFacts) => JSON.stringify({ ...inventory, diskBytes: 0 });
    const diskMoved = Math.abs(next.inventory.diskBytes - this.#facts.inventory.diskBytes);
    // Free space moves all the time; what matters is a disk that fills up or was freed.
    const diskChanged = diskMoved > 0.05 * Math.max(next.inventory.diskBytes, this.#facts.inventory.diskBytes);
    const changed = diskChanged || withoutDisk(next) !== withoutDisk(this.#facts);
    if (!changed) return;
    this.#facts = next;
    this.#connection.send({ type: 'inventory', inventory: next.inventory });
  }

  async #cleanCache(): Promise<void> {
    for await (const { hash, storedAt } of this.#cache.list()) {
      if (Date.now() - storedAt.getTime() > cacheKeptMs) await this.#cache.delete(hash);
    }
  }
}
