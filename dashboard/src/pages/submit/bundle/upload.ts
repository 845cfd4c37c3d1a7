/** Uploads a bundle under its hash, unless the server has it. */
import { asProblem, Problem, readProblem } from '../../../api/problem.ts';
import { pathOf, request } from '../../../api/request.ts';
import type { Bundle } from './pack.ts';

/** @throws Problem; AbortError */
export async function uploadBundle(bundle: Bundle, signal: AbortSignal): Promise<void> {
  const params = { sha256: bundle.hash };
  try {
    await request('HEAD /v1/blobs/:sha256', { params }, { signal });
    return;
  } catch (error) {
    if (asProblem(error).status !== 404) throw error;
  }
  let response: Response;
  try {
    response = await fetch(pathOf('/v1/blobs/:sha256', params), {
      method: 'PUT',
      body: bundle.bytes,
      signal,
      redirect: 'error',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/octet-stream', 'x-solyx-client': 'dashboard' },
    });
  } catch (error) {
    if (signal.aborted) throw error;
    const detail = 'The upload broke off.';
    throw new Problem({ code: 'network', title: 'The server cannot be reached.', detail, status: 0 });
  }
  if (!response.ok) throw readProblem(response.status, response.headers, await response.json().catch(() => undefined));
}
