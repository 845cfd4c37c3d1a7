/**
 * What an image says about running it (OCI image-spec, config.md), and what a job makes of it.
 *
 * An image is written by strangers: every field is bounded and checked before anything uses it.
 */
import { z } from 'zod';
import { PullError } from './pull-error.ts';

const texts = z.array(z.string().max(131_072)).max(4096);

/** The part of an image's configuration that Solyx reads. */
export const imageConfigSchema = z.object({
  architecture: z.string().max(64).optional(),
  os: z.string().max(64).optional(),
  config: z
    .object({
      User: z.string().max(256).nullish(),
      Env: texts.nullish(),
      Entrypoint: texts.nullish(),
      Cmd: texts.nullish(),
      WorkingDir: z.string().max(4096).nullish(),
    })
    .nullish(),
  rootfs: z.object({ diff_ids: z.array(z.string().regex(/^sha256:[0-9a-f]{64}$/)).max(512) }).optional(),
});

/** How an image wants to be run. */
export interface ImageConfig {
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** Absolute, normalised; `/` when the image says nothing. */
  readonly workingDirectory: string;
}

/** The configuration of what is no image but a bare root file system. */
export const bareConfig: ImageConfig = { user: '', env: {}, entrypoint: [], cmd: [], workingDirectory: '/' };

/** @param raw a parsed configuration; of `Env` entries that are no variables are left out */
export function imageConfigOf(raw: z.infer<typeof imageConfigSchema>): ImageConfig {
  const config = raw.config ?? {};
  const env = (config.Env ?? []).flatMap((entry): [string, string][] => {
    const at = entry.indexOf('=');
    const name = entry.slice(0, at);
    return at > 0 && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !entry.includes('\0')
      ? [[name, entry.slice(at + 1)]]
      : [];
  });
  const directory = config.WorkingDir ?? '';
  const isSane = directory.startsWith('/') && !directory.includes('\0') && !directory.split('/').includes('..');
  return {
    user: config.User ?? '',
    env: Object.fromEntries(env),
    entrypoint: (config.Entrypoint ?? []).filter(isWord),
    cmd: (config.Cmd ?? []).filter(isWord),
    workingDirectory: isSane ? directory.replace(/\/+$/, '') || '/' : '/',
  };
}

const isWord = (word: string): boolean => !word.includes('\0');

/**
 * What is run: the job's command replaces the image's entrypoint and arguments, the job's arguments alone replace only
 * the image's arguments.
 *
 * @param command the job's; empty when the image's is wanted
 * @param args the job's arguments for the image's own entrypoint; null: the image's own
 * @returns never empty
 * @throws PullError `image_no_command`
 */
export function commandOf(
  image: ImageConfig,
  command: readonly string[],
  args: readonly string[] | null,
): [string, ...string[]] {
  const [first, ...rest] = command.length > 0 ? command : [...image.entrypoint, ...(args ?? image.cmd)];
  if (first === undefined || first === '')
    throw new PullError('image_no_command', 'it names neither an entrypoint nor a command, and the job none either');
  return [first, ...rest];
}
