/** pg-boss: fetched and completed 500 at a time, by four at once. */
import { type Drained, loadPeer, type Peer } from './peers.ts';

interface Boss {
  start(): Promise<unknown>;
  stop(options: object): Promise<void>;
  on(event: 'error', listener: (error: Error) => void): void;
  createQueue(name: string): Promise<void>;
  insert(name: string, jobs: readonly object[]): Promise<unknown>;
  fetch(name: string, options: object): Promise<{ id: string }[]>;
  complete(name: string, ids: readonly string[]): Promise<unknown>;
}

const atOnce = 4;
const batch = 500;

export async function pgBoss(): Promise<Peer> {
  const { PgBoss } = await loadPeer<{ PgBoss: new (options: object) => Boss }>('pg-boss');
  return {
    name: 'pg-boss',

    async drain(url, jobs, runMs): Promise<Drained> {
      const boss = new PgBoss({ connectionString: url, max: 10, supervise: false, schedule: false });
      boss.on('error', () => {});
      await boss.start();
      await boss.createQueue('trivial');
      for (let from = 0; from < jobs; from += 10_000) {
        const some = Array.from({ length: Math.min(10_000, jobs - from) }, (_, i) => ({ data: { i: from + i } }));
        await boss.insert('trivial', some);
      }
      let done = 0;
      const began = performance.now();
      const work = async () => {
        for (;;) {
          const fetched = await boss.fetch('trivial', { batchSize: batch });
          if (fetched.length === 0) return;
          if (runMs > 0) await new Promise((resolve) => setTimeout(resolve, runMs));
          await boss.complete(
            'trivial',
            fetched.map(({ id }) => id),
          );
          done += fetched.length;
        }
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      const ms = performance.now() - began;
      await boss.stop({ graceful: false });
      if (done !== jobs) throw new Error(`pg-boss finished ${done} of ${jobs} jobs`);
      return { jobs, ms };
    },
  };
}
