import type { ContainerEditResponse } from '../../api/containers.ts';
import type { EditOutcome } from '../../engine/edit/edit.ts';
import type { EditRequest } from '../../engine/edit/request.ts';
import { endpointFromWire } from './create-request.ts';
import { portBindingsFromWire, updateFromWire } from './host-config.ts';
import { mountFromWire } from './mounts.ts';
import { portKey } from './ports.ts';
import type { editRequest } from './shapes.ts';

/** @throws EngineError `invalid`, `notImplemented` naming the field */
export function editRequestFromWire(body: ReturnType<typeof editRequest.read>): EditRequest {
  const networks = Object.entries(body.Networks ?? {});
  return {
    publish: portBindingsFromWire(body.Publish ?? {}),
    unpublish: (body.Unpublish ?? []).map(portKey),
    env: body.Env ?? [],
    unsetEnv: body.UnsetEnv ?? [],
    binds: body.Binds ?? [],
    mounts: (body.Mounts ?? []).map(mountFromWire),
    volumes: body.Volumes ?? [],
    unmount: body.Unmount ?? [],
    labels: body.Labels ?? {},
    removeLabels: body.RemoveLabels ?? [],
    networks: Object.fromEntries(networks.map(([name, endpoint]) => [name, endpointFromWire(endpoint)])),
    leaveNetworks: body.LeaveNetworks ?? [],
    command: body.Cmd,
    hostname: body.Hostname || undefined,
    limits: updateFromWire(body.Update ?? {}),
  };
}

export function editOutcomeToWire({ changes, restarts }: EditOutcome): ContainerEditResponse {
  return {
    Changes: changes.map(({ subject, text, takes }) => ({ Subject: subject, Text: text, Takes: takes })),
    Restarted: restarts,
  };
}
