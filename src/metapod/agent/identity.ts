/**
 * Who this node is: made once by joining, kept in the data directory (mode 0600), never made twice.
 *
 * The installation's own id is written before the join is asked for, so that an agent killed between the answer and
 * its writing joins again as the same node.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { SolyxError } from '../../common/errors/index.ts';
import type { ControlPlane } from './control-plane.ts';
import { readJson, writeAtomic } from './supervisor/files.ts';

const identityFile = z.object({
  installationId: z.string().min(1),
  node: z.object({ nodeId: z.string(), siteId: z.string(), token: z.string(), name: z.string() }).optional(),
});
export type NodeIdentity = NonNullable<z.infer<typeof identityFile>['node']>;

const pathOf = (dataDir: string) => join(dataDir, 'identity.json');

/** What is on disk; a new installation when there is nothing. @throws SolyxError `config_invalid` when it is damaged */
export function readIdentity(dataDir: string): z.infer<typeof identityFile> {
  const found = readJson(pathOf(dataDir));
  if (found.kind === 'absent') {
    const fresh = { installationId: randomUUID() };
    writeAtomic(pathOf(dataDir), JSON.stringify(fresh));
    return fresh;
  }
  const parsed = found.kind === 'ok' ? identityFile.safeParse(found.value) : undefined;
  if (parsed?.success) return parsed.data;
  throw new SolyxError('config_invalid', `${pathOf(dataDir)} is damaged; delete it to join as a new node.`);
}

/**
 * Joins with a token, and keeps the answer. Another node with our name makes us add a part of the installation's id,
 * unless the name was chosen by somebody.
 *
 * @throws ControlPlaneAway, SolyxError
 */
export async function joinAs(
  dataDir: string,
  controlPlane: ControlPlane,
  joinToken: string,
  wanted: { readonly name: string; readonly isChosen: boolean },
): Promise<NodeIdentity> {
  const { installationId } = readIdentity(dataDir);
  let name = wanted.name;
  const answer = await controlPlane.join(joinToken, { name, installationId }).catch((error: unknown) => {
    if (wanted.isChosen || !(error instanceof SolyxError) || error.code !== 'already_exists') throw error;
    name = `${wanted.name}-${installationId.slice(0, 4)}`;
    return controlPlane.join(joinToken, { name, installationId });
  });
  const node = { ...answer, name };
  writeAtomic(pathOf(dataDir), JSON.stringify({ installationId, node }));
  return node;
}
