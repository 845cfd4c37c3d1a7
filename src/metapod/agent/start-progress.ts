/** Tells the control plane how a start goes on: the first words at once, later ones now and then, none twice. */
import { type ProgressFrame, progressEverySeconds } from '../../common/contract/agent/progress.ts';
import type { RankStart } from './attempt-folder.ts';

/** @param send whoever is away misses it */
export function startProgress(
  { attemptId, rank, token }: RankStart,
  send: (frame: ProgressFrame) => void,
  now: () => number = () => performance.now(),
): (words: string) => void {
  let saidAt = Number.NEGATIVE_INFINITY;
  let said = '';
  return (words) => {
    const message = words.slice(0, 256);
    // A margin, so that the server, which counts too, takes each.
    if (message === said || now() < saidAt + progressEverySeconds * 1100) return;
    said = message;
    saidAt = now();
    send({ type: 'progress', attemptId, rank, token, message });
  };
}
