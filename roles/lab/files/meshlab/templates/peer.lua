-- What Istio's metadata exchange does: the proxies of both ends tell each other whose they are, by a header that neither
-- application sees. A proxy remembers its peer for its access logger.
local HEADER = "x-meshlab-peer"
local METADATA = "meshlab.peer"
local SELF = os.getenv("MESHLAB_PEER") or ""
local FIELDS = {"workload", "namespace", "app", "version", "canonical_service", "canonical_revision", "cluster"}
-- What Istio's metrics have if a peer does not send it.
local MISSING = {canonical_revision = "latest"}

local function remember_peer(handle)
  local sent = handle:headers():get(HEADER)
  if sent == nil then
    return
  end
  handle:headers():remove(HEADER)
  local peer, index = {}, 0
  for value in (sent .. ";"):gmatch("([^;]*);") do
    index = index + 1
    local field = FIELDS[index]
    if field ~= nil then
      peer[field] = value ~= "" and value or MISSING[field] or "unknown"
    end
  end
  handle:streamInfo():dynamicMetadata():set(METADATA, "told", peer)
end

function client_request(handle)
  handle:headers():replace(HEADER, SELF)
end

function client_response(handle)
  remember_peer(handle)
end

function server_request(handle)
  remember_peer(handle)
end

-- A peer that did not identify itself is not a proxy of this mesh, and does not need the header.
function server_response(handle)
  handle:headers():remove(HEADER)
  if handle:streamInfo():dynamicMetadata():get(METADATA) ~= nil then
    handle:headers():add(HEADER, SELF)
  end
end
