/**
 * The environment of a job in a container: the image's own, then the job's, then Solyx' names, each over the one before.
 *
 * It reaches the job's command only. Hooks, the runtime and the engines never see it, so an image that sets LD_PRELOAD
 * preloads nothing into a program of the host (as in CVE-2025-23266).
 */
import type { Launch, LaunchContainer } from '../../supervisor/files.ts';
import type { JobSecrets } from '../../supervisor/secret-input.ts';
import { deviceEnvironment } from '../device-environment.ts';
import { solyxEnvironment } from '../environment.ts';
import { INSIDE } from '../sandbox-root.ts';
import { insideSecrets } from '../secret-files.ts';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function containerEnvironment(
  launch: Launch,
  container: LaunchContainer,
  secrets: JobSecrets,
): Record<string, string> {
  return {
    PATH: SYSTEM_PATH,
    // The image's home is read-only; what programs keep there by the way goes to the scratch.
    HOME: INSIDE.work,
    TMPDIR: '/tmp',
    ...container.env,
    // Which devices a job has is not for an image to say.
    ...deviceEnvironment(launch.devices),
    ...launch.env,
    ...solyxEnvironment(launch, {
      artifacts: INSIDE.artifacts,
      metricsFile: INSIDE.metricsFile,
      checkpoint: launch.checkpoint === null ? null : INSIDE.checkpoint,
      previousCheckpoint: launch.checkpoint?.previousDir == null ? null : INSIDE.previousCheckpoint,
    }),
    SOLYX_WORK_DIR: INSIDE.work,
    ...secrets.env,
    ...(secrets.files.length > 0 && { SOLYX_SECRETS_DIR: insideSecrets }),
  };
}
