/** What an operator can do to a node. Others see why they cannot. */
import { Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import type { LiveNode } from '../../../../src/common/contract/live.ts';
import { asProblem, type Problem } from '../../api/problem.ts';
import { request } from '../../api/request.ts';
import { useSession } from '../../app/session.ts';
import { ConfirmButton } from '../../ui/confirm-button.tsx';
import { ProblemText } from '../../ui/problem-text.tsx';
import classes from './fleet.module.css';

export function NodeActions({ node }: { readonly node: LiveNode }) {
  const { me, can } = useSession();
  const cache = useQueryClient();
  const [problem, setProblem] = useState<Problem | null>(null);
  if (!can('admin') || !me?.operator) return null;
  const again = async () => {
    await Promise.all([['fleet'], ['GET /v1/nodes/:id']].map((queryKey) => cache.invalidateQueries({ queryKey })));
  };
  const act = async (call: () => Promise<unknown>) => {
    setProblem(null);
    await call().catch((error) => setProblem(asProblem(error)));
    await again();
  };
  const params = { id: node.id };
  const isOpen = node.scheduling === 'open';
  return (
    <>
      <div className={classes.actions}>
        {isOpen ? (
          <Button
            size="xs"
            variant="default"
            onClick={() => act(() => request('POST /v1/nodes/:id/cordon', { params }))}
          >
            Cordon
          </Button>
        ) : (
          <Button
            size="xs"
            variant="default"
            onClick={() => act(() => request('POST /v1/nodes/:id/uncordon', { params }))}
          >
            Uncordon
          </Button>
        )}
        {node.scheduling !== 'draining' && (
          <ConfirmButton
            size="xs"
            variant="default"
            question={`Drain ${node.name}?`}
            consequence="It gets no new work until it is empty. What runs goes on to its end."
            confirm="Drain it"
            onConfirm={async () => {
              await request('POST /v1/nodes/:id/drain', { params });
              await again();
            }}
          >
            Drain
          </ConfirmButton>
        )}
        <ConfirmButton
          size="xs"
          variant="default"
          question={`Remove ${node.name}?`}
          consequence={
            node.presence === 'lost'
              ? 'You vouch that the machine is powered off: its attempts count as ended, and their jobs may start elsewhere.'
              : 'It leaves the fleet. A node that still holds work is refused; drain it first.'
          }
          typing={node.presence === 'lost' ? node.name : undefined}
          confirm="Remove it"
          onConfirm={async () => {
            await request('POST /v1/nodes/:id/remove', { params, body: { poweredOff: node.presence === 'lost' } });
            await again();
          }}
        >
          Remove
        </ConfirmButton>
      </div>
      {problem !== null && <ProblemText problem={problem} />}
    </>
  );
}
