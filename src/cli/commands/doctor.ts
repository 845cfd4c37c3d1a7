/** `solyx doctor`: what is wrong, and its cure. */
import type { Command } from 'commander';
import colors from 'picocolors';
import type { Finding, Verdict } from '../doctor/index.ts';
import { exitCodes } from '../exit-codes.ts';
import { print, printable, printJson } from '../output.ts';

const marks: Record<Verdict, { mark: string; paint: (text: string) => string }> = {
  ok: { mark: 'ok     ', paint: colors.green },
  warning: { mark: 'warning', paint: colors.yellow },
  failed: { mark: 'failed ', paint: colors.red },
  skipped: { mark: 'skipped', paint: colors.dim },
};

export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('look at machine, processes, database, fleet and jobs; name what is wrong and its cure')
    .option('--config <file>', 'read this file instead of solyx.yaml in the data directory')
    .option('--json', 'print JSON')
    .action(async (options: { config?: string; json?: boolean }) => {
      const { diagnose } = await import('../doctor/index.ts');
      const findings = await diagnose(options.config);
      if (options.json) printJson({ items: findings });
      else for (const finding of findings) tell(finding);
      // What did not answer in time may go on for minutes; nobody waits for it.
      process.exit(findings.some(({ verdict }) => verdict === 'failed') ? exitCodes.failed.code : 0);
    });
}

function tell({ check, verdict, found, cure }: Finding): void {
  const { mark, paint } = marks[verdict];
  print(`${paint(mark)}  ${check.padEnd(22)} ${printable(found)}`);
  if (cure !== undefined) print(`         ${''.padEnd(22)} ${colors.bold('→')} ${printable(cure)}`);
}
