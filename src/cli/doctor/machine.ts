/** Checks of the machine: data directory, disk, files that only their owner may read, isolation of jobs. */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { homeMode } from '../../common/config/index.ts';
import { formatBytes } from '../../common/units.ts';
import { type Check, type Finding, failed, ok, skipped, warning } from './check.ts';

const gibibyte = 2 ** 30;
/** Below the first a disk is said to be nearly full, below the second PostgreSQL may stop, bytes. */
const littleDisk = { warning: 5 * gibibyte, failed: 512 * 2 ** 20 };
/** Files with secrets in the data directory. */
const privateFiles = ['admin.key', 'secrets.key', 'agent/identity.json'];

/** Data directory: there, ours, private, with room. */
export const checkHome: Check = async ({ home }) => {
  if (!existsSync(home)) {
    return [skipped('home', `${home} does not exist yet; \`solyx up\` makes it.`), diskFinding(nearestThere(home))];
  }
  const { uid } = statSync(home);
  const access = homeMode(home);
  const findings: Finding[] = [];
  if (process.getuid !== undefined && uid !== process.getuid()) {
    findings.push(
      failed(
        'home',
        `${home} belongs to another user (${uid}).`,
        'Run as that user, or set SOLYX_HOME to a directory of yours.',
      ),
    );
  } else if (access.kind === 'closed') {
    findings.push(
      warning(
        'home',
        `${home} can be read by others (mode ${access.before}); the next start closes it.`,
        `chmod 700 ${home}`,
      ),
    );
  } else if (access.kind === 'open') {
    findings.push(
      warning(
        'home',
        `${home} can be read by others (mode ${access.mode}). ${access.why}`,
        'Set SOLYX_HOME to a folder of its own, or close this one if nobody else needs it.',
      ),
    );
  } else findings.push(ok('home', home));
  for (const name of privateFiles) {
    const file = join(home, name);
    const found = statSync(file, { throwIfNoEntry: false });
    if (found !== undefined && (found.mode & 0o077) !== 0) {
      findings.push(
        failed('home.private', `${file} can be read by others.`, `chmod 600 ${file}, and rotate what it holds`),
      );
    }
  }
  findings.push(diskFinding(home));
  return findings;
};

function nearestThere(path: string): string {
  return existsSync(path) ? path : nearestThere(dirname(path));
}

function diskFinding(path: string): Finding {
  const { bavail, bsize, ffree, files } = statfsSync(path);
  const free = bavail * bsize;
  const found = `${formatBytes(free)} are free below ${path}.`;
  const cure = 'Free some, set retention.logDays and retention.blobDays lower, or move SOLYX_HOME to a larger disk.';
  if (free < littleDisk.failed) return failed('disk.free', found, cure);
  if (files > 0 && ffree < 1000) return failed('disk.free', `Only ${ffree} more files fit below ${path}.`, cure);
  return free < littleDisk.warning ? warning('disk.free', found, cure) : ok('disk.free', found);
}

/** What jobs can be kept apart with here; builds a sandbox and a container to find out. */
export const checkIsolation: Check = async ({ config }) => {
  const { probeContainer, probeIsolation } = await import('../../metapod/agent/index.ts');
  const { levels } = await probeIsolation(process.execPath);
  const allowed = new Set<string>(config?.node.isolation ?? ['sandbox', 'container']);
  // Engines take their time; what is not allowed is not tried.
  if (allowed.has('container')) levels.push((await probeContainer(process.execPath, null)).probe);
  return levels.flatMap((level): Finding[] => {
    const check = `isolation.${level.level}`;
    if (!allowed.has(level.level)) return [skipped(check, 'The operator does not allow it (node.isolation).')];
    // A machine without a runtime is a good node for all jobs that have no image.
    if (!level.offered && level.level === 'container')
      return [warning(check, `Jobs with an image cannot run here: ${level.why}.`, level.cure)];
    if (!level.offered) return [failed(check, `Jobs cannot run in it: ${level.why}.`, level.cure)];
    if (level.warnings.length === 0) return [ok(check, 'Jobs can run in it.')];
    return level.warnings.map((found) =>
      warning(check, `${found}.`, 'Let the agent’s user write to its control groups (docs/user/isolation.md).'),
    );
  });
};
