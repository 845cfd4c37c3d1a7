/** Which running rank of a job a channel goes to, and why there is none. */
import { channelProtocol } from '../../../common/contract/agent/channels.ts';
import { isFinalJob } from '../../../common/contract/states/job.ts';
import type { Tx } from '../../../common/database/index.ts';
import type { Queryable } from '../../../common/database/queryable.ts';
import { SolyxError } from '../../../common/errors/index.ts';
import { sessionProtocol } from '../../../metapod/gateway/index.ts';
import { listAttempts, listRanks } from '../../jobs/index.ts';
import { mustGetJob } from '../jobs/read.ts';

export interface Place {
  readonly jobId: string;
  readonly attemptId: string;
  /** Of the attempt, from 1. */
  readonly attempt: number;
  readonly rank: number;
  readonly token: bigint;
  readonly nodeId: string;
}

/**
 * Finds the rank that runs.
 * @param attempt number of the attempt that is meant; undefined: whichever runs
 * @throws not_found for a job of another tenant, job_not_running
 */
export async function findPlace(tx: Tx, jobId: string, rank: number, attempt: number | undefined): Promise<Place> {
  const job = await mustGetJob(tx, jobId);
  if (rank >= job.spec.resources.nodes) {
    throw new SolyxError('not_found', `The job has ${job.spec.resources.nodes} ranks, from 0.`);
  }
  if (isFinalJob(job.state)) throw notRunning(`It is ${job.state}.`);
  const newest = (await listAttempts(tx, job.id)).at(-1);
  if (newest === undefined || newest.state === 'ended') throw notRunning(`It is ${job.state}.`);
  if (attempt !== undefined && attempt !== newest.number)
    throw notRunning(`Attempt ${newest.number} runs, not ${attempt}.`);
  if (newest.state === 'unknown') {
    throw new SolyxError('node_unreachable', 'Contact with its node is lost; the job may still run.');
  }
  const row = (await listRanks(tx, [newest.id])).find((one) => one.rank === rank);
  if (row?.state !== 'running') throw notRunning(`Its rank ${rank} is ${row?.state ?? 'not placed'}.`);
  if (newest.backend !== 'agent') throw notRunning(`It runs on backend "${newest.backend}", which has no channels.`);
  return { jobId, attemptId: newest.id, attempt: newest.number, rank, token: newest.token, nodeId: row.node_id };
}

/** @throws node_unreachable, node_too_old */
export async function mustReachNode(system: Queryable, nodeId: string): Promise<void> {
  const protocol = await sessionProtocol(system, nodeId);
  if (protocol === undefined) throw new SolyxError('node_unreachable', `Node ${nodeId} is not connected.`);
  if (protocol >= channelProtocol) return;
  throw new SolyxError(
    'node_too_old',
    `Node ${nodeId} speaks protocol ${protocol}, and this needs ${channelProtocol}.`,
  );
}

const notRunning = (detail: string) => new SolyxError('job_not_running', detail);
