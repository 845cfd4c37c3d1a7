/**
 * All commands; docs/user/cli.md is generated from them.
 *
 * Each is a file that is loaded when it is asked for: reading thirteen commands to run one costs a person 0.1 s every time.
 */
import { Command } from 'commander';
import { release } from '../common/release.ts';

type AddCommand = (program: Command) => void;

const commands = {
  up: async () => (await import('./commands/up.ts')).upCommand,
  down: async () => (await import('./commands/down.ts')).downCommand,
  submit: async () => (await import('./commands/submit.ts')).submitCommand,
  jobs: async () => (await import('./commands/jobs.ts')).jobsCommand,
  job: async () => (await import('./commands/job.ts')).jobCommand,
  logs: async () => (await import('./commands/logs.ts')).logsCommand,
  metrics: async () => (await import('./commands/metrics.ts')).metricsCommand,
  exec: async () => (await import('./commands/exec.ts')).execCommand,
  shell: async () => (await import('./commands/shell.ts')).shellCommand,
  'port-forward': async () => (await import('./commands/port-forward.ts')).portForwardCommand,
  cp: async () => (await import('./commands/cp.ts')).cpCommand,
  cancel: async () => (await import('./commands/control.ts')).cancelCommand,
  suspend: async () => (await import('./commands/control.ts')).suspendCommand,
  resume: async () => (await import('./commands/control.ts')).resumeCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  queue: async () => (await import('./commands/queue.ts')).queueCommand,
  quotas: async () => (await import('./commands/quotas.ts')).quotasCommand,
  reservations: async () => (await import('./commands/reservations.ts')).reservationsCommand,
  nodes: async () => (await import('./commands/nodes.ts')).nodesCommand,
  sites: async () => (await import('./commands/sites.ts')).sitesCommand,
  keys: async () => (await import('./commands/keys.ts')).keysCommand,
  users: async () => (await import('./commands/users.ts')).usersCommand,
  'service-accounts': async () => (await import('./commands/service-accounts.ts')).serviceAccountsCommand,
  projects: async () => (await import('./commands/projects.ts')).projectsCommand,
  tenants: async () => (await import('./commands/tenants.ts')).tenantsCommand,
  login: async () => (await import('./commands/login.ts')).loginCommand,
  logout: async () => (await import('./commands/login.ts')).logoutCommand,
  whoami: async () => (await import('./commands/login.ts')).whoamiCommand,
  open: async () => (await import('./commands/open.ts')).openCommand,
  secrets: async () => (await import('./commands/secrets.ts')).secretsCommand,
  audit: async () => (await import('./commands/audit.ts')).auditCommand,
  notifications: async () => (await import('./commands/notifications.ts')).notificationsCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  agent: async () => (await import('./commands/agent.ts')).agentCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  simulate: async () => (await import('./commands/simulate.ts')).simulateCommand,
  'support-bundle': async () => (await import('./commands/support-bundle.ts')).supportBundleCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
  backup: async () => (await import('./commands/backup.ts')).backupCommand,
  restore: async () => (await import('./commands/restore.ts')).restoreCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
} as const satisfies Record<string, () => Promise<AddCommand>>;

/**
 * Builds the command tree. Errors of the command line are thrown, not exited on.
 * @param wanted first word of the command line; a command's name gives a tree with that one, anything else the whole one
 */
export async function makeProgram(wanted?: string): Promise<Command> {
  const program = new Command('solyx')
    .description('GPUs, wherever they stand, as one computer: submit jobs, watch them, run the fleet.')
    .version(release)
    .exitOverride()
    .showHelpAfterError('(solyx --help lists the commands)');
  const isKnown = wanted !== undefined && Object.hasOwn(commands, wanted);
  const load = isKnown ? [commands[wanted as keyof typeof commands]] : Object.values(commands);
  for (const add of await Promise.all(load.map((loading) => loading()))) add(program);
  return program;
}
