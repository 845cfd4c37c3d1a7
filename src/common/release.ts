/** Which release this is, from package.json: what the CLI, the agents and the API's document say of themselves. */
import { readFileSync } from 'node:fs';

export const release: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
