/** The filter's jobs as a file, with how far it is and a way to stop. */
import { Button, Menu } from '@mantine/core';
import '../../ui/overlays.css';
import { useRef, useState } from 'react';
import { asProblem } from '../../api/problem.ts';
import { formatNumber } from '../../ui/format.ts';
import { download, exportJobs, type Format, mostExported } from './export.ts';
import type { JobsQuery } from './filters.ts';
import classes from './jobs.module.css';

export function ExportMenu({ query }: { readonly query: JobsQuery }) {
  const [said, setSaid] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const abort = useRef<AbortController | null>(null);
  const run = async (format: Format) => {
    const controller = new AbortController();
    abort.current = controller;
    setBusy(true);
    setSaid('Reading …');
    try {
      const progress = (count: number) => setSaid(`${formatNumber(count)} read`);
      const { blob, count, cut } = await exportJobs(query, format, progress, controller.signal);
      download(blob, `jobs.${format}`);
      setSaid(
        cut
          ? `The newest ${formatNumber(count)}; a file holds ${formatNumber(mostExported)}`
          : `${formatNumber(count)} exported`,
      );
    } catch (error) {
      setSaid(controller.signal.aborted ? null : asProblem(error).message);
    } finally {
      setBusy(false);
    }
  };
  return (
    <>
      <span role="status" className={classes.said}>
        {said}
      </span>
      {busy ? (
        <Button variant="default" size="xs" onClick={() => abort.current?.abort()}>
          Stop
        </Button>
      ) : (
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="default" size="xs">
              Export
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => run('csv')}>CSV, for a spreadsheet</Menu.Item>
            <Menu.Item onClick={() => run('json')}>JSON, all fields</Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </>
  );
}
