/** What the programs of a copy say, as errors. */
import type { Readable } from 'node:stream';
import { SolyxError } from '../../../common/errors/index.ts';

const mostWords = 2_000;

/** Gathers the last of what a program complains about. */
export function tailOf(errors: Readable): () => string {
  let text = '';
  errors.on('data', (bytes: Buffer) => {
    text = (text + bytes.toString('utf8')).slice(-mostWords);
  });
  return () => text.trim();
}

/** The error in a line of a copy's script; undefined when it is none. */
export function refusalOf(line: string, path: string): SolyxError | undefined {
  const [word = '', ...rest] = line.split(' ');
  const text = rest.join(' ').slice(0, 500);
  if (word === 'missing') return new SolyxError('path_not_found', `${path}, as the job sees it.`);
  if (word === 'refused') return new SolyxError('copy_refused', text);
  if (word === 'exists') return new SolyxError('already_exists', text);
  return undefined;
}
