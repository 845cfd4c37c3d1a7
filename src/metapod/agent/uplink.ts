/**
 * Streams upward: reports from the journal, logs and training metrics from the ranks, on one socket.
 *
 * Both are read from disk and numbered there; what a socket that was lost had carried without an answer is sent again
 * on the next one. Log bytes flow only against the server's credit, round by round over the ranks, so that a chatty job
 * does not silence the others; and against a window that follows the network, so that heartbeats are never long behind them.
 */
import type { AgentMessage, RankReport } from '../../common/contract/agent/protocol.ts';
import type { ReportJournal } from './journal.ts';
import { LogWindow } from './log-window.ts';
import type { RankSet } from './rank-set.ts';

/** Of a frame of reports; a message of 4,096 characters may take 24 KiB. */
const mostPerFrame = { reports: 64, characters: 131_072 };

export interface UplinkDependencies {
  readonly journal: ReportJournal;
  readonly ranks: RankSet;
  /** @returns whether the socket is open and took it */
  readonly send: (message: AgentMessage) => boolean;
}

export class Uplink {
  readonly #deps: UplinkDependencies;
  /** Bytes of log lines that may be on the way. */
  #window = new LogWindow(0);
  #isOpen = false;
  /** Next report to send on this socket. */
  #reportSeq = 0;

  constructor(deps: UplinkDependencies) {
    this.#deps = deps;
  }

  /** A new socket was welcomed: everything that is not acknowledged is sent again. */
  open(creditBytes: number): void {
    this.#window = new LogWindow(creditBytes);
    this.#reportSeq = 0;
    for (const rank of this.#deps.ranks.all) {
      rank.logs.reset();
      rank.metrics.reset();
    }
    this.#isOpen = true;
  }

  close(): void {
    this.#window = new LogWindow(0);
    this.#isOpen = false;
  }

  sendReports(): void {
    const { journal, send } = this.#deps;
    const unsent = journal.entries.filter((entry) => entry.seq >= this.#reportSeq);
    for (let at = 0; at < unsent.length; ) {
      const { seq } = unsent[at]!;
      const items: RankReport[] = [];
      for (let size = 0; items.length < mostPerFrame.reports && size < mostPerFrame.characters; at += 1) {
        const entry = unsent[at];
        if (entry === undefined) break;
        items.push(entry.report);
        size += JSON.stringify(entry.report).length;
      }
      if (!send({ type: 'reports', journal: journal.name, seq, items })) return;
      this.#reportSeq = seq + items.length;
    }
  }

  /** One batch of a rank is on the way at a time, so this needs no credit. */
  sendMetrics(): void {
    if (!this.#isOpen) return;
    for (const rank of this.#deps.ranks.all) {
      const frame = rank.metrics.next(rank.hasEnded);
      if (frame !== undefined) this.#deps.send(frame);
    }
  }

  /** The server answered a frame of a log. */
  logsAcknowledged(attemptId: string, rank: number, nextLine: number, refused: boolean): void {
    const tookMs = this.#deps.ranks.find(attemptId, rank)?.logs.acknowledge(nextLine, refused);
    if (tookMs !== undefined) this.#window.took(tookMs);
  }

  sendLogs(): void {
    const ranks = this.#deps.ranks.all;
    let flying = ranks.reduce((sum, rank) => sum + rank.logs.flyingBytes, 0);
    for (let progress = true; progress; ) {
      progress = false;
      for (const rank of ranks) {
        if (flying >= this.#window.bytes) return;
        const frame = rank.logs.next(rank.hasEnded, this.#window.frameBytes);
        if (frame === undefined) continue;
        flying += frame.lines.length;
        this.#deps.send(frame);
        progress = true;
      }
    }
  }
}
