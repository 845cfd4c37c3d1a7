/**
 * A machine made of recorded text, for tests: tools answer from fixtures, files come from a map.
 * `fakeNvidiaSmi` speaks nvidia-smi's query format, so that field refusals and column order are really exercised.
 */
import { readFileSync } from 'node:fs';
import type {
  FollowHandlers,
  HostFacts,
  Outside,
  ToolResult,
} from '../../../../../src/metapod/agent/discovery/index.ts';

const FIXTURES = new URL('../../../../fixtures/discovery/', import.meta.url);

export function fixture(name: string): string {
  return readFileSync(new URL(name, FIXTURES), 'utf8');
}

export type Tool = string | ToolResult | ((args: readonly string[]) => ToolResult);

export type World = {
  /** Tool name → its answer; a string is output of a success. Unnamed tools are missing. */
  tools?: Record<string, Tool>;
  /** Path → text. Folders exist by the files in them. */
  files?: Record<string, string>;
  links?: Record<string, string>;
  freeBytes?: number | null;
  host?: Partial<HostFacts>;
};

export type FollowCall = { tool: string; args: readonly string[]; handlers: FollowHandlers; stopped: boolean };

/** An `Outside` over a world; `followed` lists the long-running tools in the order they were started. */
export function outsideOf(world: World): Outside & { followed: FollowCall[]; ran: string[] } {
  const followed: FollowCall[] = [];
  const ran: string[] = [];
  return {
    followed,
    ran,
    async run(tool, args) {
      ran.push([tool, ...args].join(' '));
      const answer = world.tools?.[tool];
      if (answer === undefined) return { kind: 'missing' };
      if (typeof answer === 'function') return answer(args);
      return typeof answer === 'string' ? { kind: 'ok', stdout: answer } : answer;
    },
    follow(tool, args, handlers) {
      const call: FollowCall = { tool, args, handlers, stopped: false };
      followed.push(call);
      return {
        async stop() {
          if (call.stopped) return;
          call.stopped = true;
          handlers.ended('stopped');
        },
      };
    },
    readText: async (path) => world.files?.[path] ?? null,
    list: async (path) => {
      const paths = [...Object.keys(world.files ?? {}), ...Object.keys(world.links ?? {})];
      const names = paths.filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1));
      return [...new Set(names.map((name) => name.split('/')[0] ?? ''))].sort();
    },
    readLink: async (path) => world.links?.[path] ?? null,
    freeBytes: async () => (world.freeBytes === undefined ? 5e11 : world.freeBytes),
    host: () => ({
      platform: 'linux',
      arch: 'x64',
      kernel: '6.1.0',
      cpus: 8,
      memoryBytes: 16 * 2 ** 30,
      ...world.host,
    }),
  };
}

export type FakeSmi = {
  /** A fixture with a header row of all fields that this driver knows. */
  table: string;
  /** Fields of the table under another name on this driver: new name → old name. */
  renamed?: Record<string, string>;
  /** Fields that this driver does not know. */
  refuses?: string[];
  list?: ToolResult | string;
  plain?: ToolResult | string;
  topo?: ToolResult | string;
};

const ok = (answer: ToolResult | string | undefined): ToolResult =>
  typeof answer === 'object' ? answer : { kind: 'ok', stdout: answer ?? '' };

/** nvidia-smi over a table of GPUs. */
export function fakeNvidiaSmi({ table, renamed = {}, refuses = [], list, plain, topo }: FakeSmi): Tool {
  const [header = '', ...rows] = table.trim().split('\n');
  const columns = header.split(',').map((field) => renamed[field] ?? field);
  return (args) => {
    if (args[0] === '-L') return ok(list);
    if (args[0] === 'topo') return ok(topo);
    const query = args.find((arg) => arg.startsWith('--query-gpu='))?.slice('--query-gpu='.length);
    if (query === undefined) return ok(plain);
    const fields = query.split(',');
    const unknown = fields.find((field) => refuses.includes(field) || !columns.includes(field));
    if (unknown !== undefined) {
      return { kind: 'failed', code: 2, output: `Field "${unknown}" is not a valid field to query.\n` };
    }
    const lines = rows.map((row) => {
      const cells = row.split(', ');
      const last = cells.splice(columns.length - 1).join(', ');
      const value = (field: string) => [...cells, last][columns.indexOf(field)] ?? '';
      return fields.map(value).join(', ');
    });
    return { kind: 'ok', stdout: `${lines.join('\n')}\n` };
  };
}

/** Files of one PCI device in sysfs. */
export function pciFiles(address: string, ids: Record<string, string>): Record<string, string> {
  const entries = Object.entries(ids).map(([file, text]) => [`/sys/bus/pci/devices/${address}/${file}`, `${text}\n`]);
  return Object.fromEntries(entries);
}
