/**
 * The environment of a job: built from nothing, never inherited, so that no secret of the agent gets in.
 * Solyx' own names win over the job's; everything else that the job asked for is taken as it is.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Launch } from '../supervisor/files.ts';
import { deviceEnvironment } from './device-environment.ts';
import { isShellName } from './shell-quote.ts';

/** Where things are, as the job sees them. */
export interface JobPaths {
  home: string;
  temporary: string;
  artifacts: string;
  metricsFile: string;
  checkpoint: string | null;
  previousCheckpoint: string | null;
  nodeDirectory: string;
}

/** Beside `$SOLYX_METRICS`; made by whoever writes event files. */
export const tensorboardFolder = 'tensorboard';

const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Environment of the launcher itself: tools from the system's own places, messages in English. */
export const TRUSTED_ENVIRONMENT = { PATH: SYSTEM_PATH, LC_ALL: 'C' };

/** @throws Error when the job names a variable that a shell cannot export */
export function jobEnvironment(launch: Launch, paths: JobPaths): Record<string, string> {
  const bad = Object.keys(launch.env).find((name) => !isShellName(name));
  if (bad !== undefined) throw new Error(`environment variable "${bad}" is not a valid name`);
  return {
    PATH: `${paths.nodeDirectory}:${SYSTEM_PATH}`,
    LANG: 'C.UTF-8',
    HOME: paths.home,
    TMPDIR: paths.temporary,
    USER: 'job',
    LOGNAME: 'job',
    ...deviceEnvironment(launch.devices),
    ...launch.env,
    ...solyxEnvironment(launch, paths),
  };
}

/** The names that Solyx tells every job, at whatever level it runs. */
export function solyxEnvironment(
  launch: Launch,
  paths: Pick<JobPaths, 'artifacts' | 'metricsFile' | 'checkpoint' | 'previousCheckpoint'>,
): Record<string, string> {
  return {
    SOLYX_JOB_ID: launch.jobId,
    SOLYX_ATTEMPT_ID: launch.attemptId,
    SOLYX_RANK: String(launch.rank),
    SOLYX_WORLD_SIZE: String(launch.worldSize),
    SOLYX_ARTIFACTS_DIR: paths.artifacts,
    SOLYX_METRICS: paths.metricsFile,
    SOLYX_TENSORBOARD: join(dirname(paths.metricsFile), tensorboardFolder),
    ...(paths.checkpoint === null ? {} : { SOLYX_CHECKPOINT_DIR: paths.checkpoint }),
    ...(paths.previousCheckpoint === null ? {} : { SOLYX_PREVIOUS_CHECKPOINT_DIR: paths.previousCheckpoint }),
  };
}

/** Program and arguments; a `shell` script becomes `sh -c`. @throws Error when there is nothing to run */
export function jobCommand(launch: Launch): [string, ...string[]] {
  if (launch.shell !== undefined) return ['/bin/sh', '-c', launch.shell, 'sh', ...launch.command];
  const [program, ...rest] = launch.command;
  if (program === undefined || program === '') throw new Error('the command is empty');
  return [program, ...rest];
}

/** Absolute path of a system tool, found without looking at anybody's PATH. @throws Error when it is not installed */
export function systemTool(name: string): string {
  const found = SYSTEM_PATH.split(':')
    .map((directory) => join(directory, name))
    .find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} is not installed (Debian and RHEL: package util-linux)`);
  return found;
}
