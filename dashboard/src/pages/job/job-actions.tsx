/** What can be done with a job: end it, let it pause, or submit its like again, as it is or changed. */
import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useRef } from 'react';
import type { JobDetail } from '../../api/contract.ts';
import { request } from '../../api/request.ts';
import { usePageActions } from '../../app/actions.ts';
import { useSession } from '../../app/session.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import { writeClipboard } from '../../ui/copy-id.tsx';
import { specOfJob } from '../submit/spec/clone.ts';
import classes from './job.module.css';
import { isFinal, jobQuery } from './use-job.ts';

export function JobActions({ job }: { readonly job: JobDetail }) {
  const { can } = useSession();
  const cache = useQueryClient();
  const navigate = useNavigate();
  // One key for one wish: pressing again after a lost answer gives the job that was made already.
  const retryKey = useRef<string>(undefined);
  const host = useRef<HTMLDivElement>(null);
  const isStopping = job.state === 'stopping' && job.stopReason === 'cancel';
  const allowed = can('member');
  // The palette presses the same button, so it asks in the same words.
  const press = () => host.current?.querySelector('button')?.click();
  usePageActions([
    ...(allowed && isFinal(job) ? [{ id: 'retry', label: `Submit ${job.name} again`, run: press }] : []),
    ...(allowed && !isFinal(job) && !isStopping ? [{ id: 'cancel', label: `Cancel job ${job.name}`, run: press }] : []),
    ...(allowed
      ? [
          {
            id: 'clone',
            label: `Clone and edit ${job.name}`,
            run: () => void navigate({ to: '/submit', search: { from: job.id } }),
          },
        ]
      : []),
    { id: 'copy', label: `Copy the id of ${job.name}`, run: () => void writeClipboard(job.id) },
  ]);
  if (!allowed) return null;

  const ask = async (what: 'cancel' | 'suspend' | 'resume') => {
    await request(`POST /v1/jobs/:id/${what}`, { params: { id: job.id } });
    await cache.invalidateQueries({ queryKey: jobQuery(job.id).queryKey });
  };
  const retry = async () => {
    retryKey.current ??= crypto.randomUUID();
    const made = await request(
      'POST /v1/jobs',
      { body: specOfJob(job.spec) as never },
      { headers: { 'idempotency-key': retryKey.current } },
    );
    retryKey.current = undefined;
    if (made.id !== null) await navigate({ to: '/jobs/$id', params: { id: made.id } });
  };
  return (
    <div ref={host} className={classes.actions}>
      {isFinal(job) ? (
        <ConfirmButton
          size="xs"
          variant="default"
          onConfirm={retry}
          question={`Submit ${job.name} again?`}
          consequence={
            job.arrayId === null
              ? 'A new job with the same spec is queued. This one stays as it is.'
              : 'The whole array is submitted again, not only this task.'
          }
          confirm="Submit again"
        >
          Retry
        </ConfirmButton>
      ) : (
        <ConfirmButton
          size="xs"
          variant="default"
          disabled={isStopping}
          onConfirm={() => ask('cancel')}
          question={`Cancel ${job.name}?`}
          consequence={
            job.state === 'queued'
              ? 'It has not begun; it leaves the queue.'
              : 'Its processes are asked to end, and killed after the grace of the spec. What they wrote to checkpoints stays.'
          }
          confirm="Cancel the job"
        >
          {isStopping ? 'Cancelling …' : 'Cancel'}
        </ConfirmButton>
      )}
      {job.state === 'suspended' && (
        <ConfirmButton
          size="xs"
          variant="default"
          onConfirm={() => ask('resume')}
          question={`Resume ${job.name}?`}
          consequence="It is queued again, and its next attempt begins with its newest checkpoint."
          confirm="Resume the job"
        >
          Resume
        </ConfirmButton>
      )}
      {mayBeSuspended(job) && (
        <ConfirmButton
          size="xs"
          variant="default"
          onConfirm={() => ask('suspend')}
          question={`Suspend ${job.name}?`}
          consequence={
            job.state === 'queued'
              ? 'It leaves the queue until it is resumed.'
              : 'Its processes are asked to end, and killed after the grace of the spec. What it wrote to no checkpoint is lost.'
          }
          confirm="Suspend the job"
        >
          Suspend
        </ConfirmButton>
      )}
      <Button
        className={classes.linkButton}
        size="xs"
        variant="default"
        renderRoot={(props) => <Link {...props} to="/submit" search={{ from: job.id }} />}
      >
        Clone and edit
      </Button>
    </div>
  );
}

const mayBeSuspended = ({ state }: JobDetail): boolean =>
  state === 'queued' || state === 'starting' || state === 'running';
