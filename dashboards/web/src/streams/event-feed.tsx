import type { StatusEvent } from '../api/types.ts';
import { timeOfDay } from '../format.ts';

export const EventFeed = ({ events }: { events: readonly StatusEvent[] }) => (
  <section className="panel side" aria-labelledby="events-title">
    <h2 id="events-title">Events</h2>
    {events.length === 0 ? (
      <p className="muted">Nothing has changed since the hub began to watch.</p>
    ) : (
      <ol className="feed" aria-live="polite">
        {[...events]
          .reverse()
          .slice(0, 40)
          .map((event) => (
            <li key={event.id} className={`feed__item feed__item--${event.level}`}>
              <span className="feed__subject">
                {event.subject.replace(/^role:/, '').replace('.public.', '.')}
              </span>
              <time className="num" dateTime={event.at}>
                {timeOfDay(event.at)}
              </time>
              <span className="feed__message">{event.message}</span>
            </li>
          ))}
      </ol>
    )}
  </section>
);
