import { acquireLease as acquire, HubError, type Lease, type LeaseOptions, type LeaseTrouble } from '#kernel';

function fenced(why: LeaseTrouble, cause?: unknown): HubError {
  const words = {
    held: () => `${(why.kind === 'held' && why.holder) || 'Another reader'} reads this source.`,
    lost: () => 'Another reader has taken this source over.',
    late: () => 'The lease could not be renewed in time.',
    released: () => 'The lease was given back.',
  };
  return new HubError('CAPTURE_FENCED', words[why.kind](), {
    disposition: 'transient',
    next: 'Nothing: this reader stands by and takes over when the other one ends.',
    cause,
  });
}

/** The right to read a source. Errors: CAPTURE_FENCED while another holder has it; see the kernel's `acquireLease`. */
export const acquireLease = (options: Omit<LeaseOptions, 'refuse'>): Promise<Lease> =>
  acquire({ ...options, refuse: fenced });
