/**
 * The agent: carries out what the control plane commands and reports what becomes of it.
 *
 * Everything that must survive is on disk before it is acknowledged, and work runs under supervisors of its own, so
 * the agent may be killed and started again at any time. It is a loop over ranks (`rank.ts`) and a socket; the loop
 * does not care whether the socket is open. Heartbeats carry the lease: a supervisor counts its time without contact
 * from the sending of the last one that was acknowledged (contracts §3).
 */
import { mkdirSync, rmSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { type BlobStore, openDirectoryStore } from '../../common/blobs/index.ts';
import {
  type AgentMessage,
  type GatewayMessage,
  heartbeatSeconds,
  protocolVersion,
  type RankReport,
  startPayload,
  stopPayload,
} from '../../common/contract/agent/protocol.ts';
import { failpoint } from '../../common/failpoints.ts';
import type { Logger } from '../../common/logger.ts';
import { createFolder, folderName, listFolders, readStart } from './attempt-folder.ts';
import { Connection } from './connection.ts';
import { Contact } from './contact.ts';
import type { ControlPlane } from './control-plane.ts';
import { systemOutside } from './discovery/index.ts';
import { Fences } from './fences.ts';
import type { NodeIdentity } from './identity.ts';
import { ReportJournal } from './journal.ts';
import { lookAtNode, type NodeFacts, type OfferedIsolation } from './node-facts.ts';
import { type AgentOptions, agentVersion } from './options.ts';
import { Rank } from './rank.ts';
import { type NodeSample, NodeSampler, wireSamplesOf } from './samples/index.ts';
import { bootId, killAttempt } from './supervisor/index.ts';

type Command = Extract<GatewayMessage, { type: 'command' }>;

const stepMs = 250;
/** With the batching of the gateway, what people see is at most 2 s old. */
const sampleMs = 1_000;
const rediscoverMs = 60_000;
const cacheKeptMs = 86_400_000;
/** Of a frame of reports; a message of 4,096 characters may take 24 KiB. */
const mostPerFrame = { reports: 64, characters: 131_072 };
/** A step that is under way when the agent ends may finish for so long; uploads are taken up again by the next agent. */
const settleMs = 2_000;
/** Shortest pause between heartbeats, seconds. */
const leastBeatSeconds = 0.5;

export class Agent {
  readonly #options: AgentOptions;
  readonly #logger: Logger;
  readonly #attemptsFolder: string;
  readonly #ranks = new Map<string, Rank>();
  readonly #journal: ReportJournal;
  readonly #fences: Fences;
  readonly #contact: Contact;
  readonly #cache: BlobStore;
  readonly #controlPlane: ControlPlane;
  readonly #connection: Connection;
  readonly #sampler: NodeSampler;
  readonly #isolation: OfferedIsolation;
  readonly #name: string;
  #facts: NodeFacts;
  #timers: NodeJS.Timeout[] = [];
  #sample: NodeSample | undefined;
  #creditBytes = 0;
  #heartbeatSeq = 0;
  /** Boot clock at the sending of heartbeats that are not acknowledged, by number. */
  #heartbeats = new Map<number, number>();
  #beatAtSeconds = Number.NEGATIVE_INFINITY;
  /** Next report to send on this socket. */
  #reportSeq = 0;
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
    this.#contact = new Contact(options.dataDir);
    this.#cache = parts.cache;
    this.#controlPlane = controlPlane;
    this.#facts = parts.facts;
    this.#isolation = parts.isolation;
    this.#sampler = new NodeSampler({ outside: systemOutside(), devices: parts.facts.devices });
    for (const dir of listFolders(this.#attemptsFolder)) this.#adopt(dir);
    this.#connection = new Connection({
      address: options.server,
      token: identity.token,
      logger: options.logger,
      hello: () => this.#hello(),
      onWelcome: (welcome) => this.#welcomed(welcome),
      onMessage: (message) => this.#receive(message),
      onClosed: () => this.#disconnected(),
      onRevoked: () => {
        this.#revoked = true;
        this.#logger.error(
          'the token of this node was revoked; what runs ends by its own rules, then the agent leaves',
        );
      },
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
    this.#timers = [
      setInterval(() => this.#tick(), stepMs),
      setInterval(() => void this.#takeSample(), sampleMs),
      setInterval(() => this.#beatWhenDue(), stepMs),
      setInterval(() => void this.#rediscover(), rediscoverMs),
      setInterval(() => void this.#cleanCache(), cacheKeptMs / 24),
    ];
    this.#tick();
  }

  /** Stops talking and looking; supervisors and jobs go on. */
  async stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#connection.stop();
    await this.#sampler.stop();
    const settled = Promise.all([...this.#ranks.values()].map((rank) => rank.settled()));
    await Promise.race([settled, new Promise((resolve) => setTimeout(resolve, settleMs).unref())]);
    this.#journal.close();
  }

  /** Nothing is left to do for a node that is not wanted any more. */
  get isFinished(): boolean {
    return this.#revoked && this.#unended().length === 0;
  }

  /** Asks everything that runs to stop. @returns how many ranks have not ended */
  stopEverything(why: string, mostGraceSeconds: number): number {
    const left = this.#unended();
    for (const rank of left) {
      rank.stop(why, Math.min(mostGraceSeconds, rank.start.payload?.graceSeconds ?? 0));
    }
    return left.length;
  }

  /** The control plane has every end that happened here. */
  get isHandedOver(): boolean {
    const isUnreported = [...this.#ranks.values()].some((rank) => rank.hasEnded && !rank.isReported);
    return !isUnreported && this.#journal.entries.length === 0;
  }

  #unended(): Rank[] {
    return [...this.#ranks.values()].filter((rank) => !rank.hasEnded);
  }

  #adopt(dir: string): Rank | undefined {
    const start = readStart(dir);
    if (start === 'absent') {
      rmSync(dir, { recursive: true, force: true });
      return undefined;
    }
    if (start === 'damaged') {
      // The hello cannot name it, so the control plane takes it for ended: it must have.
      this.#logger.error({ dir }, 'the intent of an attempt is damaged; what runs of it is ended, its folder stays');
      killAttempt(dir).catch((error) => this.#logger.error({ err: error, dir }, 'it could not be ended'));
      return undefined;
    }
    const rank = new Rank(dir, start, this.#rankDependencies());
    this.#ranks.set(folderName(start.attemptId, start.rank), rank);
    return rank;
  }

  #rankDependencies() {
    const agent = this;
    return {
      controlPlane: this.#controlPlane,
      cache: this.#cache,
      get devices() {
        return agent.#facts.devices;
      },
      isolation: this.#isolation.offered,
      hostNetwork: this.#options.hostNetwork ?? false,
      nodeBinary: this.#options.nodeBinary ?? process.execPath,
      journal: this.#journal,
      logger: this.#logger,
      onReport: () => this.#sendReports(),
      contact: this.#contact,
    };
  }

  #tick(): void {
    for (const [name, rank] of this.#ranks) {
      if (rank.isGone) this.#ranks.delete(name);
      else rank.step();
    }
    this.#sendReports();
    this.#sendLogs();
  }

  async #hello(): Promise<Extract<AgentMessage, { type: 'hello' }>> {
    const attempts = [...this.#ranks.values()].map(({ start, state }) => ({
      attemptId: start.attemptId,
      rank: start.rank,
      token: start.token,
      state,
    }));
    const { inventory } = this.#facts;
    return { type: 'hello', protocol: protocolVersion, agentVersion, bootId: bootId(), inventory, attempts };
  }

  #welcomed(welcome: Extract<GatewayMessage, { type: 'welcome' }>): void {
    this.#logger.info({ node: welcome.nodeId, session: welcome.sessionId }, 'connected to the control plane');
    this.#creditBytes = welcome.logCreditBytes;
    this.#reportSeq = 0;
    this.#heartbeats.clear();
    for (const rank of this.#ranks.values()) rank.logs.reset();
    this.#beat();
    this.#tick();
  }

  #disconnected(): void {
    this.#creditBytes = 0;
  }

  #receive(message: GatewayMessage): void {
    switch (message.type) {
      case 'heartbeatAck':
        this.#renewLeases(message.seq);
        return;
      case 'reportsAck':
        failpoint('agent.before-journal-ack');
        this.#journal.acknowledge(message.journal, message.next);
        return;
      case 'logsAck': {
        const rank = this.#ranks.get(folderName(message.attemptId, message.rank));
        rank?.logs.acknowledge(message.nextLine, message.refused === true);
        this.#sendLogs();
        return;
      }
      case 'command':
        this.#obey(message);
        return;
    }
  }

  #obey(command: Command): void {
    let refusal: string | undefined;
    try {
      refusal = this.#carryOut(command);
    } catch (error) {
      // Not acknowledged (a full disk): it stays open and comes again with the next socket.
      this.#logger.error({ err: error, command: command.id }, 'a command could not be taken; it will come again');
      setTimeout(() => this.#obey(command), 5_000).unref();
      return;
    }
    const answer =
      refusal === undefined ? { result: 'done' as const } : { result: 'refused' as const, detail: refusal };
    this.#connection.send({ type: 'commandAck', id: command.id, ...answer });
    this.#tick();
  }

  /** Writes down what a command wants. @returns why it is refused */
  #carryOut({ kind, attemptId, rank: number, token, payload }: Command): string | undefined {
    const known = this.#ranks.get(folderName(attemptId, number));
    const rank = known?.isGone ? undefined : known;
    if (rank !== undefined && rank.start.token !== token) return 'the attempt has another token here';
    const received = { bootId: bootId(), uptimeSeconds: uptime() };
    const intent = { attemptId, rank: number, token, received };
    switch (kind) {
      case 'start': {
        if (rank !== undefined) return undefined;
        const parsed = startPayload.safeParse(payload);
        failpoint('agent.before-intent');
        if (!parsed.success) {
          this.#logger.error(
            { issues: parsed.error.issues, attemptId },
            'a start command has another form than this agent knows',
          );
          this.#adopt(createFolder(this.#attemptsFolder, { ...intent, payload: null }));
          return 'its payload has another form than this agent knows';
        }
        if (!this.#fences.admit(parsed.data.jobId, BigInt(token))) return 'a newer attempt of the job was started here';
        for (const other of this.#ranks.values()) {
          const isOlder = other.start.payload?.jobId === parsed.data.jobId && BigInt(other.start.token) < BigInt(token);
          if (isOlder && !other.hasEnded) other.stop('a newer attempt exists', 0);
        }
        this.#adopt(createFolder(this.#attemptsFolder, { ...intent, payload: parsed.data }));
        failpoint('agent.after-intent');
        this.#beatWhenDue();
        return undefined;
      }
      case 'stop': {
        const stop = stopPayload.parse(payload);
        // Stopped before its start came: remembered, so that it is reported and can never start.
        const target = rank ?? this.#adopt(createFolder(this.#attemptsFolder, { ...intent, payload: null }));
        target?.stop(stop.why, stop.graceSeconds);
        return undefined;
      }
      case 'forget':
        rank?.forget();
        return undefined;
    }
  }

  /** A rank that may miss contact for less than a few periods makes us beat faster, or it would never live long. */
  #beatWhenDue(): void {
    let period = heartbeatSeconds;
    for (const rank of this.#unended()) period = Math.min(period, rank.patienceSeconds / 4);
    if (uptime() - this.#beatAtSeconds >= Math.max(leastBeatSeconds, period)) this.#beat();
  }

  #beat(): void {
    if (!this.#connection.isOpen) return;
    const seq = this.#heartbeatSeq++;
    this.#beatAtSeconds = uptime();
    this.#heartbeats.set(seq, this.#beatAtSeconds);
    const samples = this.#sample === undefined ? undefined : wireSamplesOf(this.#sample);
    this.#connection.send({ type: 'heartbeat', seq, ...(samples !== undefined && { samples }) });
  }

  #renewLeases(seq: number): void {
    const sentAt = this.#heartbeats.get(seq);
    if (sentAt === undefined) return;
    for (const older of this.#heartbeats.keys()) if (older <= seq) this.#heartbeats.delete(older);
    for (const rank of this.#ranks.values()) {
      try {
        rank.renewLease(sentAt);
      } catch (error) {
        this.#logger.warn({ err: error, dir: rank.dir }, 'a lease was not renewed; without contact the job ends early');
      }
    }
    this.#contact.renew(sentAt);
  }

  #sendReports(): void {
    if (!this.#connection.isOpen) return;
    const unsent = this.#journal.entries.filter((entry) => entry.seq >= this.#reportSeq);
    for (let at = 0; at < unsent.length; ) {
      const { seq } = unsent[at]!;
      const items: RankReport[] = [];
      for (let size = 0; items.length < mostPerFrame.reports && size < mostPerFrame.characters; at += 1) {
        const entry = unsent[at];
        if (entry === undefined) break;
        items.push(entry.report);
        size += JSON.stringify(entry.report).length;
      }
      this.#connection.send({ type: 'reports', journal: this.#journal.name, seq, items });
      this.#reportSeq = seq + items.length;
    }
  }

  /** Round by round over the ranks, so that a chatty job does not silence the others. */
  #sendLogs(): void {
    if (!this.#connection.isOpen) return;
    const ranks = [...this.#ranks.values()];
    let flying = ranks.reduce((sum, rank) => sum + rank.logs.flyingBytes, 0);
    for (let progress = true; progress; ) {
      progress = false;
      for (const rank of ranks) {
        if (flying >= this.#creditBytes) return;
        const frame = rank.logs.next(rank.hasEnded);
        if (frame === undefined) continue;
        flying += frame.lines.length;
        this.#connection.send(frame);
        progress = true;
      }
    }
  }

  async #takeSample(): Promise<void> {
    const before = this.#sample;
    const after = await this.#sampler.sampleNode();
    this.#sample = after;
    // Where work runs or devices stand people watch; an idle node without devices says how it is with its heartbeats.
    if (this.#unended().length > 0 || this.#facts.devices.length > 0) this.#beat();
    for (const rank of this.#ranks.values()) {
      try {
        rank.meter(before === undefined ? null : { before, after });
      } catch (error) {
        this.#logger.debug({ err: error }, 'energy was not recorded; the next sample makes up for it');
      }
    }
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
