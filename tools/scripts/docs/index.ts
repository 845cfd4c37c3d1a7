/**
 * The documents that are generated from code, so that they cannot drift: each a file and the function that writes it.
 */
import { cliDoc } from './cli.ts';
import { configKeysDoc } from './config-keys.ts';
import { errorCodesDoc } from './error-codes.ts';
import { jobSpecDoc } from './job-spec.ts';
import { statesDoc } from './states.ts';

export interface GeneratedDoc {
  /** Path relative to the repository. */
  readonly file: string;
  readonly generate: () => string | Promise<string>;
}

export const generatedDocs: readonly GeneratedDoc[] = [cliDoc, configKeysDoc, errorCodesDoc, jobSpecDoc, statesDoc];
