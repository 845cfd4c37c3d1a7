/**
 * Nodes and their gateway in small: takes commands from their rows as an agent does (in order, each once, fenced by token),
 * and writes the reports that a gateway would write. Work is pretended; everything else is the agent's contract.
 */
import { type RankReport, startPayload } from '../../../src/common/contract/agent/protocol.ts';
import type { Database } from '../../../src/common/database/index.ts';

interface Command {
  id: bigint;
  node_id: string;
  attempt_id: string;
  rank: number;
  token: bigint;
  kind: 'start' | 'stop' | 'forget';
  payload: unknown;
}

interface Rank {
  readonly nodeId: string;
  readonly attemptId: string;
  readonly rank: number;
  readonly token: bigint;
  state: 'intent' | 'starting' | 'running' | 'ended';
  readonly exitCode: number | null;
  stopped: boolean;
}

export class AgentStandIn {
  readonly #db: Database;
  readonly #ranks = new Map<string, Rank>();
  /** Newest token by node and job. */
  readonly #fences = new Map<string, bigint>();
  readonly #begun = new Map<string, number>();
  #seq = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** How often a rank's work was begun. */
  begun(attemptId: string, rank: number): number {
    return this.#begun.get(`${attemptId}/${rank}`) ?? 0;
  }

  /** Takes what commands there are, lets each rank take one step, and says hello again. */
  async proceed(): Promise<void> {
    const { rows } = await this.#db.system.query<Command>(
      'select * from metapod_commands where acked_at is null order by id',
    );
    for (const command of rows) {
      await this.#obey(command);
      await this.#db.system.query('update metapod_commands set acked_at = now() where id = $1', [command.id]);
    }
    for (const rank of this.#ranks.values()) await this.#step(rank);
    await this.#hello();
  }

  async #obey({ node_id, attempt_id, rank, token, kind, payload }: Command): Promise<void> {
    const key = `${attempt_id}/${rank}`;
    const known = this.#ranks.get(key);
    if (known && known.token !== token) return;
    const identity = { nodeId: node_id, attemptId: attempt_id, rank, token };
    switch (kind) {
      case 'start': {
        const { jobId, env } = startPayload.parse(payload);
        const fence = `${node_id}/${jobId}`;
        if (known || token < (this.#fences.get(fence) ?? 0n)) return;
        this.#fences.set(fence, token);
        const exitCode = env.EXIT === undefined ? null : Number(env.EXIT);
        this.#ranks.set(key, { ...identity, state: 'intent', exitCode, stopped: false });
        return;
      }
      case 'stop': {
        if (known) {
          known.stopped = true;
          return;
        }
        const never: Rank = { ...identity, state: 'ended', exitCode: null, stopped: true };
        this.#ranks.set(key, never);
        const end = { reason: 'never-started', exitCode: null, signal: null, message: null } as const;
        return this.#report(never, { state: 'ended', end });
      }
      case 'forget':
        this.#ranks.delete(key);
    }
  }

  async #step(rank: Rank): Promise<void> {
    if (rank.state === 'intent') {
      const key = `${rank.attemptId}/${rank.rank}`;
      this.#begun.set(key, (this.#begun.get(key) ?? 0) + 1);
      rank.state = 'starting';
      await this.#report(rank, { state: 'starting' });
    } else if (rank.state === 'starting') {
      rank.state = 'running';
      await this.#report(rank, { state: 'running' });
    } else if (rank.state === 'running' && (rank.stopped || rank.exitCode !== null)) {
      rank.state = 'ended';
      const end = rank.stopped
        ? ({ reason: 'stopped', exitCode: null, signal: 'SIGTERM', message: null } as const)
        : ({ reason: 'exited', exitCode: rank.exitCode, signal: null, message: null } as const);
      await this.#report(rank, { state: 'ended', end, ranSeconds: 1 });
    }
  }

  async #report({ nodeId, attemptId, rank, token }: Rank, what: Partial<RankReport>): Promise<void> {
    this.#seq += 1;
    const body = { attemptId, rank, token: String(token), at: new Date().toISOString(), ...what };
    await this.#db.system.query(
      `insert into metapod_reports (node_id, boot_seq, seq, attempt_id, rank, token, body)
       values ($1, 'stand-in', $2, $3, $4, $5, $6)`,
      [nodeId, this.#seq, attemptId, rank, token, JSON.stringify(body)],
    );
  }

  async #hello(): Promise<void> {
    const held = Map.groupBy(this.#ranks.values(), ({ nodeId }) => nodeId);
    for (const [nodeId, ranks] of held) {
      const attempts = ranks.map(({ attemptId, rank, token, state }) => ({
        attemptId,
        rank,
        token: String(token),
        state: state === 'intent' ? 'starting' : state,
      }));
      await this.#db.system.query(
        `insert into metapod_sessions (node_id, session_id, gateway_id, protocol, lease_until, attempts)
         values ($1, 'stand-in', 'stand-in', 1, now() + interval '1 minute', $2)
         on conflict (node_id) do update set attempts = excluded.attempts, connected_at = now()`,
        [nodeId, JSON.stringify(attempts)],
      );
    }
  }
}
