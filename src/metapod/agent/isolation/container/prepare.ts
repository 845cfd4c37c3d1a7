/** Hands a launch to the driver that was chosen for it. */
import type { Launch } from '../../supervisor/files.ts';
import type { JobSecrets } from '../../supervisor/secret-input.ts';
import type { Cgroup } from '../cgroup.ts';
import type { Prepared } from '../isolation.ts';
import { prepareEngine } from './engine.ts';
import { prepareRuntime } from './runtime.ts';

/** @throws Error with a reason for the user when it cannot be started here */
export function prepareContainer(dir: string, launch: Launch, cgroup: Cgroup | null, secrets: JobSecrets): Prepared {
  return launch.container?.driver.kind === 'runtime'
    ? prepareRuntime(dir, launch, cgroup, secrets)
    : prepareEngine(dir, launch, secrets);
}
