/** What to do first, with the command for each step; shown until the first job was submitted. */
import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { pageLoader } from '../../app/nouns.ts';
import { useSession } from '../../app/session.ts';
import { CopyId } from '../../ui/copy-id.tsx';
import { StateMark } from '../../ui/state-mark.tsx';
import classes from './overview.module.css';
import type { Overview } from './use-overview.ts';

export function Onboarding({ figures }: { readonly figures: Overview | undefined }) {
  const { me } = useSession();
  const hasNode = (figures?.nodesReady ?? 0) > 0;
  return (
    <section className={classes.panel} aria-labelledby="onboarding">
      <h2 id="onboarding">Get your first job running</h2>
      <ol className={classes.steps}>
        <Step done title="The server runs and you are signed in">
          <p>
            {me === undefined
              ? 'You see this page, so it does.'
              : `You work in tenant ${me.tenant.name}, project ${me.project.name}, as ${me.role}.`}
          </p>
        </Step>
        <Step done={hasNode} title={hasNode ? nodesText(figures) : 'Bring a node'}>
          {hasNode ? (
            <p>It takes jobs at once.</p>
          ) : (
            <>
              <p>Jobs need a machine. This makes one of the machine where you run it:</p>
              <CopyId id="npx solyx up" />
              <p>
                A machine elsewhere joins by <code>solyx agent</code>, with a token that an admin makes:
              </p>
              <CopyId id="npx solyx keys create --name gpu-01 --kind join" />
            </>
          )}
        </Step>
        <Step done={false} title="Submit a job">
          <p>A small training is in the repository; it runs on any machine and writes its loss:</p>
          <CopyId id="npx solyx submit examples/train.yaml --follow" />
          {pageLoader('submit') !== undefined && (
            <p>
              <Button component={Link} to="/submit" size="xs">
                Or fill in a form
              </Button>
            </p>
          )}
        </Step>
        <Step done={false} title="Watch it, and see why it runs where it runs">
          <p>It appears here and under Jobs as soon as it is submitted.</p>
        </Step>
      </ol>
    </section>
  );
}

function nodesText(figures: Overview | undefined): string {
  const count = figures?.nodesReady ?? 0;
  return count === 1 ? 'A node is ready' : `${count} nodes are ready`;
}

function Step({
  done,
  title,
  children,
}: {
  readonly done: boolean;
  readonly title: string;
  readonly children: ReactNode;
}) {
  return (
    <li className={classes.step}>
      <h3>
        {title} <StateMark tone={done ? 'succeeded' : 'waiting'}>{done ? 'done' : 'to do'}</StateMark>
      </h3>
      {children}
    </li>
  );
}
