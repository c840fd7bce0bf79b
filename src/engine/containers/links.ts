import type { ContainerRecord } from './container.ts';
import type { ContainerStore } from './store.ts';

/** Who can find containers by what a link calls them. */
type Known = Pick<ContainerStore, 'find' | 'list'>;

/** `--link` as inspect shows it: `/db:/web/database`, for what still exists. */
export function shownLinks(containers: Pick<Known, 'find'>, record: ContainerRecord): string[] {
  return linksOf(containers, record).map(({ target, alias }) => `/${target.name}:/${record.name}/${alias}`);
}

/** The names that links give to other containers, by id: `/web/database` for the one /web knows as `database`. */
export function namesByLinks(containers: Known): ReadonlyMap<string, string[]> {
  const names = new Map<string, string[]>();
  for (const record of containers.list()) {
    for (const { target, alias } of linksOf(containers, record)) {
      names.set(target.id, [...(names.get(target.id) ?? []), `/${record.name}/${alias}`]);
    }
  }
  return names;
}

function linksOf(
  containers: Pick<Known, 'find'>,
  { hostConfig }: ContainerRecord,
): { target: ContainerRecord; alias: string }[] {
  return hostConfig.links.flatMap(link => {
    const [ref = '', alias] = link.split(':', 2);
    const target = containers.find(ref);
    return target === undefined ? [] : [{ target, alias: alias ?? target.name }];
  });
}
