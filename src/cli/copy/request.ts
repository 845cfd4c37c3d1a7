/** Requests whose body or answer is a stream of any length; they are sent once, and what the server refuses is an error. */
import type { Readable } from 'node:stream';
import { Readable as ReadableStreams } from 'node:stream';
import { readProblem } from '../../common/contract/client.ts';
import { type Answer, queryText } from '../../common/contract/client-request.ts';
import { SolyxError } from '../../common/errors/index.ts';
import { findServer } from '../connect.ts';
import { fetchByNode } from '../transport.ts';

export interface PlaceInJob {
  readonly jobId: string;
  readonly path: string;
  readonly rank?: number | undefined;
}

/**
 * Asks `/v1/jobs/:id/files`.
 * @throws SolyxError what the server answers, or server_unreachable
 */
export async function askFiles(
  method: 'GET' | 'PUT',
  { jobId, path, rank }: PlaceInJob,
  query: Readonly<Record<string, string | undefined>> = {},
  body?: Readable,
): Promise<Answer> {
  const { url, apiKey } = await findServer();
  const target = `${url}/v1/jobs/${encodeURIComponent(jobId)}/files${queryText({ path, rank, ...query })}`;
  const giveUp = new AbortController();
  let answer: Answer;
  try {
    answer = await fetchByNode(target, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body !== undefined && { 'content-type': 'application/octet-stream' }),
      },
      signal: giveUp.signal,
      ...(body !== undefined && { body: ReadableStreams.toWeb(body) as ReadableStream }),
    });
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? (error as Error).message;
    throw new SolyxError('server_unreachable', { detail: `${url} (${why})`, cause: error });
  }
  if (answer.ok) return answer;
  const problem = await readProblem(answer);
  // It may have refused in the middle of the body, of which nobody wants the rest.
  giveUp.abort();
  throw problem;
}
