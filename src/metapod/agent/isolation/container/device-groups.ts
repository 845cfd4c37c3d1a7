/** Groups of the host without which a job could not open its devices (/dev/kfd belongs to `render`). */
import { existsSync, statSync } from 'node:fs';
import type { Launch } from '../../supervisor/files.ts';

export function groupsOf(launch: Launch): number[] {
  const nodes = launch.devices.flatMap((device) => device.nodes).filter((node) => existsSync(node));
  const closed = nodes.map((node) => statSync(node)).filter((stat) => (stat.mode & 0o006) !== 0o006 && stat.gid !== 0);
  return [...new Set(closed.map((stat) => stat.gid))];
}
