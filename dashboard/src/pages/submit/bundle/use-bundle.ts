/** A folder of this computer as the working directory of the job: packed here, uploaded, and named by its hash in the spec. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { asProblem, type Problem } from '../../../api/problem.ts';
import { isSent, mostBytes, packFiles } from './pack.ts';
import type { BundleFile } from './tar.ts';
import { uploadBundle } from './upload.ts';

export type BundleState =
  | { readonly kind: 'none' }
  | { readonly kind: 'packing'; readonly folder: string }
  | { readonly kind: 'uploading'; readonly folder: string; readonly bytes: number }
  | {
      readonly kind: 'done';
      readonly folder: string;
      readonly files: number;
      readonly bytes: number;
      readonly hash: string;
    }
  | { readonly kind: 'failed'; readonly problem: Problem };

export interface BundleControl {
  readonly state: BundleState;
  /** Takes the files of a folder chosen in the browser. */
  choose(files: readonly File[]): void;
  /** Takes the files of the training example. */
  packExample(): void;
}

/** @param onDone is told the hash of the uploaded bundle */
export function useBundle(onDone: (hash: string) => void): BundleControl {
  const [state, setState] = useState<BundleState>({ kind: 'none' });
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  const send = useCallback(
    async (folder: string, read: () => Promise<BundleFile[]>) => {
      running.current?.abort();
      const controller = new AbortController();
      running.current = controller;
      const { signal } = controller;
      setState({ kind: 'packing', folder });
      try {
        const bundle = await packFiles(await read());
        if (signal.aborted) return;
        const bytes = bundle.bytes.length;
        setState({ kind: 'uploading', folder, bytes });
        await uploadBundle(bundle, signal);
        setState({ kind: 'done', folder, files: bundle.fileCount, bytes, hash: bundle.hash });
        onDone(bundle.hash);
      } catch (error) {
        if (!signal.aborted) setState({ kind: 'failed', problem: asProblem(error) });
      }
    },
    [onDone],
  );
  const choose = useCallback(
    (files: readonly File[]) => {
      const folder = files[0]?.webkitRelativePath.split('/')[0] ?? 'the folder';
      void send(folder, () => readFolder(files));
    },
    [send],
  );
  const packExample = useCallback(() => {
    void send('examples/train', async () => {
      const { exampleFiles } = await import('../spec/example-files.ts');
      const encoder = new TextEncoder();
      return exampleFiles.map(({ path, text }) => ({ path, bytes: encoder.encode(text) }));
    });
  }, [send]);
  return { state, choose, packExample };
}

/** The browser puts the folder's own name before each path. */
async function readFolder(files: readonly File[]): Promise<BundleFile[]> {
  const sent = files
    .map((file) => ({ file, path: file.webkitRelativePath.split('/').slice(1).join('/') || file.name }))
    .filter(({ path }) => isSent(path));
  const total = sent.reduce((sum, { file }) => sum + file.size, 0);
  if (total > mostBytes) {
    throw new Error(
      `The folder has ${Math.round(total / 2 ** 20)} MiB; a browser packs up to ${mostBytes / 2 ** 20} MiB. Use \`solyx submit\` for more.`,
    );
  }
  return Promise.all(sent.map(async ({ file, path }) => ({ path, bytes: new Uint8Array(await file.arrayBuffer()) })));
}
