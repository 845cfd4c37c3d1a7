/** A look that finds nothing proves nothing: each kind of leftover that needs no privilege is laid down once. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { leftovers } from '../../../../soak/crash/leftovers.ts';
import { newId } from '../../../../src/common/ids.ts';

const agent = mkdtempSync(join(tmpdir(), 'solyx-leftovers-'));
const id = newId('attempt');
const secrets = `/dev/shm/solyx-secrets-${id}.0`;
afterEach(() => {
  rmSync(agent, { recursive: true, force: true });
  rmSync(secrets, { recursive: true, force: true });
});
const look = (attempts = [id]) => leftovers(agent, [agent], new Set(attempts), false);

describe('leftovers', () => {
  it('are none on a clean machine', () => {
    expect(look()).toEqual([]);
  });

  it.each(['attempts', 'images/incoming'])('are what lies in %s of an agent', (folder) => {
    mkdirSync(join(agent, folder, 'some'), { recursive: true });
    expect(look()).toEqual([`${join(agent, folder, 'some')} was left behind`]);
  });

  it('are secrets of an attempt in memory, of our own attempts alone', () => {
    mkdirSync(secrets);
    expect(look()).toEqual([`${secrets} was left behind`]);
    expect(look([newId('attempt')])).toEqual([]);
  });
});
