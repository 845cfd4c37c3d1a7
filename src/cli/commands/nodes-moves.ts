/** `solyx nodes moves`: which running jobs to move so that more of what is free can be used. It moves nothing. */
import type { Command } from 'commander';
import { formatDuration } from '../../common/units.ts';
import { decimal, whole } from '../arguments.ts';
import { connect } from '../connect.ts';
import { print, printable, printJson, printTable, relative } from '../output.ts';

export function movesCommand(nodes: Command): void {
  nodes
    .command('moves')
    .description('propose moves of running jobs by which more of what is free can be used; moves nothing')
    .option('--limit <n>', 'most moves, 1–100; default 20', whole(1, 100))
    .option(
      '--least-worth <x>',
      'least worth of a move: devices that become useful for each device moved, 0–1000; default 0.25',
      decimal(0, 1000),
    )
    .option('--json', 'print JSON')
    .action(async ({ limit, leastWorth, json }: { limit?: number; leastWorth?: number; json?: boolean }) => {
      const plan = await (await connect()).planMoves({
        query: { ...(limit !== undefined && { limit }), ...(leastWorth !== undefined && { leastWorth }) },
      });
      if (json) return printJson(plan);
      const { moves, devices, usefulDevices, uselessDevices, running, considered, message } = plan;
      print(
        `${amount(uselessDevices)} free devices are of no use to the jobs that are expected; ${considered} of ${running} running jobs could be moved.`,
      );
      if (message !== null) return print(printable(message));
      printTable(
        moves.map((move, index) => ({ ...move, number: index + 1 })),
        [
          { title: '#', value: ({ number }) => String(number), align: 'right' },
          { title: 'JOB', value: ({ job }) => job.id },
          { title: 'NAME', value: ({ job }) => printable(job.name) },
          { title: 'TENANT', value: ({ tenant }) => printable(tenant.name) },
          { title: 'FROM', value: ({ from }) => printable(from.name) },
          { title: 'TO', value: ({ to, site }) => `${printable(to.name)} (${printable(site.name)})` },
          { title: 'DEVICES', value: (move) => amount(move.devices), align: 'right' },
          { title: 'USEFUL', value: (move) => `+${amount(move.usefulDevices)}`, align: 'right' },
          { title: 'EACH', value: ({ worth }) => amount(worth), align: 'right' },
          { title: 'WORK LOST', value: ({ lostSeconds }) => formatDuration(lostSeconds), align: 'right' },
          {
            title: 'ENDS',
            value: ({ expectedEndAt }) => (expectedEndAt === null ? '–' : relative(expectedEndAt)),
            align: 'right',
          },
        ],
        '',
      );
      print(
        `In this order they move ${amount(devices)} devices and make ${amount(usefulDevices)} useful. Nothing was moved.`,
      );
    });
}

const amount = (devices: number): string => String(Number(devices.toFixed(2)));
