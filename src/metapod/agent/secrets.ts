/** Asks the control plane for a rank's secrets, in the moment before its supervisor starts; they are kept nowhere here. */
import { SolyxError } from '../../common/errors/index.ts';
import type { RankStart } from './attempt-folder.ts';
import type { ControlPlane } from './control-plane.ts';
import type { RegistryCredentials } from './images/source.ts';
import type { JobSecrets } from './supervisor/index.ts';

/**
 * @throws ControlPlaneAway when it should be asked again; SolyxError such as `secret_missing` when the rank cannot start
 */
export async function fetchSecrets(controlPlane: ControlPlane, start: RankStart): Promise<JobSecrets> {
  const given = await controlPlane.secrets({ attemptId: start.attemptId, rank: start.rank, token: start.token });
  const env: Record<string, string> = {};
  const files: JobSecrets['files'][number][] = [];
  for (const { env: variable, file, value } of given) {
    const content = Buffer.from(value, 'base64');
    if (variable !== null) env[variable] = toText(content, variable);
    if (file !== null) files.push({ name: file, content });
  }
  return { env, files };
}

/**
 * What the registry of the rank's image is shown; null when the job names nothing.
 * @throws ControlPlaneAway; SolyxError when there is no such secret, or it has another form
 */
export async function fetchImageCredentials(
  controlPlane: ControlPlane,
  { attemptId, rank, token, payload }: RankStart,
): Promise<RegistryCredentials | null> {
  if (!payload?.hasImageCredentials) return null;
  const text = (await controlPlane.imageCredentials({ attemptId, rank, token }))?.trim() ?? '';
  const colon = text.indexOf(':');
  if (colon < 1)
    throw new SolyxError('job_spec_invalid', 'The secret of `imageCredentials` is no "username:password".');
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** A variable holds text without NUL; bytes that are none would arrive changed. */
function toText(content: Buffer, variable: string): string {
  const text = content.toString('utf8');
  if (text.includes('\0') || !Buffer.from(text).equals(content)) {
    throw new SolyxError('job_spec_invalid', `The secret for ${variable} is no text; take it as a file.`);
  }
  return text;
}
