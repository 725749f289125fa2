import type { RoleStatus } from '../api/types.ts';
import { bytes, duration, text } from '../format.ts';
import { Figure } from '../ui/figure.tsx';
import { StateChip } from '../ui/state-chip.tsx';

export const Roles = ({ roles }: { roles: readonly RoleStatus[] }) => (
  <section className="panel side" aria-labelledby="roles-title">
    <h2 id="roles-title">Roles</h2>
    {roles.length === 0 ? (
      <p className="muted">No role has reported yet.</p>
    ) : (
      <ul className="roles">
        {roles.map((role) => (
          <li key={`${role.role}/${role.instance}`}>
            <span className="roles__name">{role.role}</span>
            <StateChip state={role.state} />
            <span className="roles__figures">
              {role.state === 'silent' ? (
                <span className="muted">for {text(duration(role.ageMs))}</span>
              ) : (
                <>
                  <Figure of={bytes(role.rssBytes)} />
                  <Figure
                    of={
                      role.cpuPercent === null
                        ? { value: '–', unit: '' }
                        : { value: role.cpuPercent.toFixed(0), unit: '% cpu' }
                    }
                  />
                </>
              )}
            </span>
          </li>
        ))}
      </ul>
    )}
  </section>
);
